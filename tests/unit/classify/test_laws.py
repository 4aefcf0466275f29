"""What holds for every reply there can be?"""

from ipaddress import IPv4Address

import pytest
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


_WRAPPINGS = {
    "prefix": "smtp; {}",
    "header": "Diagnostic-Code: smtp; {}",
    "Postfix": "host mx.example.com[203.0.113.9] said: {} (in reply to RCPT TO command)",
    "Exim": "SMTP error from remote mail server after RCPT TO:<jo@example.com>: host mx.example.com [203.0.113.9]: {}",
    "qmail": "203.0.113.9 failed after I sent the message. Remote host said: {}",
    "id": "{} [mx12.example.net 2026-11-23T10:11:12.123Z 08DE2A1B3C4D5E6F]",
}


@pytest.mark.parametrize("wrapping", _WRAPPINGS.values(), ids=_WRAPPINGS)
def test_wrapping_of_an_answer_does_not_change_what_it_says(classifier: Classifier, wrapping: str) -> None:
    texts = [rule.examples[0] for rule in classifier.ruleset.rules if not rule.stages and not rule.only_from]
    answers = [text for text in texts if text[:3].isdigit() and len(text.split()) > 2]
    changed = [
        text
        for text in answers
        if classifier.classify(Reply(text=wrapping.format(text))).group != classifier.classify(Reply(text=text)).group
    ]
    assert changed == []


@given(st.sampled_from(["550 5.1.1 User unknown", "554 5.7.1 spam", "452 4.2.2 Mailbox full"]), st.ip_addresses(v=4))
def test_addresses_make_no_new_wording(text: str, address: IPv4Address) -> None:
    assert address.is_loopback or tidy(f"{text} [{address}]") == tidy(f"{text} [203.0.113.9]")


@given(st.from_regex(r"[0-9]{4,40}", fullmatch=True))
def test_only_digits_say_nothing(classifier: Classifier, text: str) -> None:
    assert classifier.classify(Reply(text=text)).label is Label.UNDETERMINED


@given(st.from_regex(r"https?://[a-z]{1,8}\.example/[0-9]{0,6}", fullmatch=True))
def test_only_a_url_says_nothing(classifier: Classifier, text: str) -> None:
    assert classifier.classify(Reply(text=text)).label is Label.UNDETERMINED


def test_a_megabyte_costs_no_more_than_its_first_lines(classifier: Classifier) -> None:
    start = "552 5.2.2 Mailbox full. "
    assert classifier.classify(Reply(text=start + "x" * 1_000_000)).label is Label.MAILBOX_FULL


def test_binary_is_a_reply_too(classifier: Classifier) -> None:
    text = bytes(range(256)).decode("latin-1") * 16
    assert classifier.classify(Reply(text=text)).label in Label
