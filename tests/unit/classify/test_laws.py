"""What holds for every reply there can be?"""

from hypothesis import given
from hypothesis import strategies as st

from service.classify.engine import Classifier
from service.classify.groups import GROUP_OF, usual_persistence
from service.classify.reply import Reply
from service.classify.tidy import MAX_LINE, tidy
from service.classify.wording import wording
from service.model.words import Doubt, Label, ReportedType, SmtpStage

_TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="45 0123456789.-()<>@:;'\"[]\\=\r\n", max_size=200),
    st.lists(
        st.sampled_from(
            ["550", "5.1.1", "said:", "<jo@example.com>", "user unknown", "spam", "(in reply to RCPT TO command)", "smtp;", "\n", "=C3=A9"]
        ),
        max_size=20,
    ).map(" ".join),
)
_REPLIES = st.builds(
    Reply,
    text=_TEXTS,
    smtp_code=st.none() | st.integers(200, 599),
    enhanced_status_code=st.none() | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}", fullmatch=True),
    stage=st.none() | st.sampled_from(SmtpStage),
    remote_host=st.none() | st.text(max_size=60),
    esp_class=st.none() | st.text(max_size=30),
    esp_subclass=st.none() | st.sampled_from(["Reputation", "NoEmail", "", "51"]),
    reported_type=st.none() | st.sampled_from(ReportedType),
)


@given(_REPLIES)
def test_every_reply_gets_a_label(classifier: Classifier, reply: Reply) -> None:
    found = classifier.classify(reply)
    assert found.label in Label
    assert found.group == GROUP_OF[found.label]


@given(_REPLIES)
def test_two_classifiers_with_the_same_rules_agree(classifier: Classifier, second_classifier: Classifier, reply: Reply) -> None:
    assert classifier.classify(reply) == second_classifier.classify(reply)


@given(_REPLIES)
def test_doubt_has_a_reason(classifier: Classifier, reply: Reply) -> None:
    found = classifier.classify(reply)
    assert (found.doubt is Doubt.NONE) == (not found.doubt_reason)


@given(_REPLIES)
def test_explanation_agrees_with_the_classification(classifier: Classifier, reply: Reply) -> None:
    explanation = classifier.explain(reply)
    winners = {match.rule for match in explanation.matches if match.standing == "wins"}
    assert explanation.classification == classifier.classify(reply)
    assert explanation.classification.rule in winners | {"", "esp.class", "stage.mail", "stage.connect"}


@given(_TEXTS)
def test_tidied_lines_are_short_lower_and_clean(text: str) -> None:
    for line in tidy(text).lines:
        assert len(line) <= MAX_LINE + len("550 5.123.123 ")
        assert line == line.lower()
        assert line.isprintable()


@given(_TEXTS)
def test_wording_names_nobody(text: str) -> None:
    assert "@" not in wording(text).replace("<@>", "")


@given(st.sampled_from(Label), st.sampled_from(["4", "5", ""]))
def test_no_label_but_a_recipients_is_permanent(label: Label, code_class: str) -> None:
    assert (usual_persistence(label, code_class) == "permanent") <= (GROUP_OF[label] == "recipient" and code_class != "4")


def test_a_megabyte_costs_no_more_than_its_first_lines(classifier: Classifier) -> None:
    start = "552 5.2.2 Mailbox full. "
    assert classifier.classify(Reply(text=start + "x" * 1_000_000)).label is Label.MAILBOX_FULL


def test_binary_is_a_reply_too(classifier: Classifier) -> None:
    text = bytes(range(256)).decode("latin-1") * 16
    assert classifier.classify(Reply(text=text)).label in Label
