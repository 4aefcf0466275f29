"""What makes of a reply its classification?"""

import pickle

import pytest

from service.classify.engine import Classifier
from service.classify.reply import Reply
from service.classify.rules import load_rules
from service.model.words import Doubt, Label, Persistence, SmtpStage

_MIMECAST = "eu-smtp-inbound-1.mimecast.com"
_HORNET = "mx01.hornetsecurity.com"


def test_words_go_before_the_code(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="550 5.1.1 Your IP is on a blacklist")).label is Label.REPUTATION_BLOCK


def test_bare_code_is_read_where_there_are_no_words(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="", smtp_code=550, enhanced_status_code="5.1.1")).label is Label.INVALID_RECIPIENT


def test_bare_550_is_undetermined(classifier: Classifier) -> None:
    """A permanent refusal of one mail says nothing about the person."""
    found = classifier.classify(Reply(text="550"))
    assert (found.label, found.rule, found.persistence) == (Label.UNDETERMINED, "", Persistence.UNCLEAR)


def test_answer_behind_the_gateway_decides(classifier: Classifier) -> None:
    text = "550 permanent failure for one or more recipients (jo@example.com:552 5.2.2 mailbox full)"
    assert classifier.classify(Reply(text=text)).label is Label.MAILBOX_FULL


def test_gateways_words_decide_where_the_inner_answer_is_a_bare_code(classifier: Classifier) -> None:
    text = "554 5.7.1 message refused as spam by the backend (550 5.7.1 q9)"
    assert classifier.classify(Reply(text=text)).label is Label.CONTENT_BLOCK


@pytest.mark.parametrize("stage", [SmtpStage.CONNECT, SmtpStage.HELO, SmtpStage.MAIL])
def test_refusal_before_rcpt_to_is_never_about_the_recipient(classifier: Classifier, stage: SmtpStage) -> None:
    found = classifier.classify(Reply(text="550 Requested action not taken: mailbox unavailable", stage=stage))
    assert found.group == "block"
    assert found.doubt is Doubt.LIKELY


def test_stage_in_the_text_counts_too(classifier: Classifier) -> None:
    text = "host mx.example.com[203.0.113.9] said: 550 5.1.1 User unknown (in reply to MAIL FROM command)"
    assert classifier.classify(Reply(text=text)).label is Label.SENDER_REJECTED


def test_unknown_user_after_data_is_suspicious(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text="550 5.1.1 User unknown", stage=SmtpStage.DOT))
    assert found.label is Label.INVALID_RECIPIENT
    assert found.doubt is Doubt.POSSIBLE


def test_unknown_user_after_data_is_normal_for_a_late_checker(classifier: Classifier) -> None:
    reply = Reply(text="550 5.1.1 User Unknown", stage=SmtpStage.DOT, remote_host="mx0a-0011.pphosted.com")
    assert classifier.classify(reply).doubt is Doubt.NONE


def test_vendor_comes_from_the_host_where_the_text_names_none(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="550 5.1.1 No such user", remote_host=_MIMECAST)).vendor == "mimecast"


def test_vendor_in_the_text_goes_before_the_host(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="550 Refused, see XGEMAIL_0004", remote_host=_MIMECAST)).vendor == "sophos"


def test_unknown_host_names_no_vendor(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="550 5.1.1 No such user", remote_host="mx.example.com")).vendor is None


def test_house_code_counts_only_where_its_gateway_answers(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="552 5.2.2 rejected", remote_host=_HORNET)).label is Label.POLICY_BLOCK
    assert classifier.classify(Reply(text="552 5.2.2", remote_host="mx.example.com")).label is Label.MAILBOX_FULL


def test_4xx_needs_no_doubt(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="450 4.1.1 <jo@example.com>: Recipient address rejected: greylisted")).doubt is Doubt.NONE


def test_final_words_under_a_4xx_stay_unclear(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text="450 4.1.1 <jo@example.com>: User unknown"))
    assert (found.label, found.persistence) == (Label.INVALID_RECIPIENT, Persistence.UNCLEAR)


def test_outer_code_says_how_lasting_an_inner_answer_is(classifier: Classifier) -> None:
    text = "451 4.1.1 <jo@example.com>: unverified address: host mx.example.com[203.0.113.9] said: 550 5.7.1 TLS is required"
    assert classifier.classify(Reply(text=text)).persistence is Persistence.UNCLEAR
    assert classifier.classify(Reply(text=text)).doubt is Doubt.NONE


def test_evidence_is_the_matched_words(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="552 5.2.2 <jo@example.com>: Mailbox Full, sorry")).evidence == "mailbox full"


def test_blocklist_and_wait_are_read(classifier: Classifier) -> None:
    listed = classifier.classify(Reply(text="554 5.7.1 Client host [203.0.113.9] blocked using zen.spamhaus.org"))
    grey = classifier.classify(Reply(text="450 4.7.1 Greylisted, try again in 5 minutes"))
    assert (listed.blocklist, grey.retry_after_seconds) == ("Spamhaus", 300)


def test_copy_in_another_process_gives_the_same_answer(classifier: Classifier) -> None:
    copy: Classifier = pickle.loads(pickle.dumps(classifier))  # noqa: S301 - our own pickle, as multiprocessing makes it
    reply = Reply(text="550 5.4.1 Recipient address rejected: Access denied", remote_host=_MIMECAST)
    assert copy.classify(reply) == classifier.classify(reply)


def test_without_a_gateway_table_hosts_say_nothing(classifier: Classifier) -> None:
    bare = Classifier(classifier.ruleset)
    assert bare.classify(Reply(text="550 5.1.1 No such user", remote_host=_MIMECAST)).vendor is None


def test_empty_rule_set_knows_nothing() -> None:
    assert Classifier(load_rules({})).classify(Reply(text="550 5.1.1 User unknown")).label is Label.UNDETERMINED


def test_explanation_names_the_winner_and_what_came_later(classifier: Classifier) -> None:
    explanation = classifier.explain(Reply(text="552 5.2.2 <jo@example.com>: Mailbox full"))
    assert [(match.rule, match.standing) for match in explanation.matches] == [
        ("hornet.customer-list", "counts only from hornetsecurity"),
        ("full.mailbox", "wins"),
        ("code.full", "reads a code, and words go before codes"),
    ]
    assert explanation.why == 'rule full.mailbox is the first that counts, by "mailbox full"'


def test_explanation_says_which_stage_a_rule_does_not_fit(classifier: Classifier) -> None:
    matches = classifier.explain(Reply(text="550 5.1.1 no such user", stage=SmtpStage.MAIL)).matches
    assert {match.standing for match in matches} == {"does not count at stage mail"}


def test_explanation_lets_weak_words_give_way_to_the_stage(classifier: Classifier) -> None:
    explanation = classifier.explain(Reply(text="550 Requested action not taken: mailbox unavailable", stage=SmtpStage.MAIL))
    assert explanation.classification.rule == "stage.mail"
    assert "gives way to the stage or to the ESP's own class" in {match.standing for match in explanation.matches}


def test_explanation_shows_rules_that_came_later(classifier: Classifier) -> None:
    matches = classifier.explain(Reply(text="550 5.7.1 Your message is spam, your IP is on a blacklist")).matches
    assert [match.standing for match in matches][:2] == ["wins", "comes later"]


def test_explanation_covers_every_way_to_a_label(classifier: Classifier) -> None:
    replies = (
        Reply(text="550 5.1.1 no such user", stage=SmtpStage.MAIL),
        Reply(text="qwertz"),
        Reply(text="", esp_class="bounce", esp_subclass="Reputation"),
    )
    assert [classifier.explain(reply).why for reply in replies] == [
        "the words speak of the recipient, but nothing refused at stage mail can",
        "no rule matches",
        "no rule says anything, so the ESP's own class decides",
    ]


def test_explanation_reads_as_text(classifier: Classifier) -> None:
    lines = list(classifier.explain(Reply(text="550 5.4.1 Recipient address rejected: Access denied")).as_lines())
    assert lines[0].startswith("invalid_recipient (recipient, unclear, doubt likely): rule microsoft.edge-directory")
    assert lines[1].startswith("doubt: the edge directory")
    assert "line 0: 550 5.4.1 recipient address rejected: access denied" in lines


def test_explanation_without_doubt_has_no_line_for_it(classifier: Classifier) -> None:
    lines = list(classifier.explain(Reply(text="552 5.2.2 Mailbox full")).as_lines())
    assert not any(line.startswith("doubt") for line in lines)


def test_forgotten_answers_are_found_again(classifier: Classifier) -> None:
    reply = Reply(text="552 5.2.2 Mailbox full")
    before = classifier.classify(reply)
    classifier.forget()
    assert classifier.classify(reply) == before


_AT_DATA = """
[[rule]]
id = "acme.late"
source = "a test"
pattern = 'refused'
stages = ["dot"]
label = "content_block"
examples = ["550 refused"]
"""


def test_rule_for_a_stage_counts_at_that_stage_alone() -> None:
    classifier = Classifier(load_rules({"a.toml": _AT_DATA}))
    labels = [classifier.classify(Reply(text="550 refused", stage=stage)).label for stage in (SmtpStage.DOT, SmtpStage.RCPT, None)]
    assert labels == [Label.CONTENT_BLOCK, Label.UNDETERMINED, Label.UNDETERMINED]
