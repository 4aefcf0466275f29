"""When is an answer not taken at its word?"""

import pytest

from service.classify.details import blocklist_named, retry_after_seconds
from service.classify.doubt import NO_MISGIVING, Misgiving, doubt_stage, doubt_words, strongest
from service.model.words import Doubt, Label, SmtpStage

_WORDS = {
    "block under a recipient's code": (Label.REPUTATION_BLOCK, "550 5.1.1 blacklisted", Doubt.LIKELY),
    "rate under a mailbox's code": (Label.RATE_LIMITED, "550 5.2.1 too fast", Doubt.LIKELY),
    "block in a recipient's frame": (Label.AUTH_FAILURE, "554 5.7.1 <@>: recipient address rejected: spf", Doubt.LIKELY),
    "block under its own code": (Label.CONTENT_BLOCK, "554 5.7.1 spam", None),
    "code of the sender": (Label.POLICY_BLOCK, "553 5.1.8 not taken", None),
    "sender refused under 5.1.0": (Label.SENDER_REJECTED, "550 5.1.0 sender invalid", None),
    "recipient under a policy's code": (Label.INVALID_RECIPIENT, "550 5.7.1 user unknown", Doubt.POSSIBLE),
    "recipient beside a word of blocks": (Label.INVALID_RECIPIENT, "550 - unknown user or sender blocked", Doubt.POSSIBLE),
    "domain beside a word of blocks": (Label.INVALID_DOMAIN, "550 - domain unknown or against our policy", Doubt.POSSIBLE),
    "domain under a policy's code": (Label.INVALID_DOMAIN, "551 5.7.1 domain not found", None),
    "recipient by call-forward": (Label.INVALID_RECIPIENT, "550 5.1.1 undeliverable address: host mx said: user unknown", Doubt.POSSIBLE),
    "recipient under its own code": (Label.INVALID_RECIPIENT, "550 5.1.1 user unknown", None),
    "full mailbox": (Label.MAILBOX_FULL, "552 5.1.1 full", None),
}


@pytest.mark.parametrize(("label", "line", "doubt"), _WORDS.values(), ids=_WORDS)
def test_words_and_code_are_weighed_against_the_label(label: Label, line: str, doubt: Doubt | None) -> None:
    found = doubt_words(label, line, line)
    assert (found.doubt if found else None) == doubt


def test_code_around_a_quoted_block_is_weighed_too() -> None:
    found = doubt_words(Label.POLICY_BLOCK, "550 5.7.1 denied", "- 5.1.0 5.1.0 - unknown address error 550-'5.7.1 denied'")
    assert found == Misgiving(Doubt.LIKELY, "the code 5.1.0 speaks of the recipient, the words do not")


def test_recipients_words_in_a_refused_sender_are_no_doubt() -> None:
    assert doubt_words(Label.SENDER_REJECTED, *["550 - sender verify failed: mailbox unavailable"] * 2) is None


def test_only_a_late_unknown_recipient_is_suspicious() -> None:
    assert doubt_stage(Label.INVALID_RECIPIENT, SmtpStage.DATA, "barracuda") is not None
    assert doubt_stage(Label.INVALID_RECIPIENT, SmtpStage.RCPT, "barracuda") is None
    assert doubt_stage(Label.MAILBOX_FULL, SmtpStage.DATA, "barracuda") is None
    assert doubt_stage(Label.INVALID_RECIPIENT, SmtpStage.DOT, "yahoo") is None


def test_strongest_doubt_wins_and_reasons_add_up() -> None:
    found = strongest([Misgiving(Doubt.POSSIBLE, "a"), NO_MISGIVING, Misgiving(Doubt.LIKELY, "b")])
    assert found == Misgiving(Doubt.LIKELY, "a; b")
    assert strongest([NO_MISGIVING]) == NO_MISGIVING


_LISTS = {
    "554 5.7.1 blocked using zen.spamhaus.org": "Spamhaus",
    "554 5.7.1 listed at bl.example.net, go away": "bl.example.net",
    "554 5.7.1 you are on a blacklist": None,
}


@pytest.mark.parametrize(("line", "name"), _LISTS.items(), ids=_LISTS)
def test_blocklist_is_named(line: str, name: str | None) -> None:
    assert blocklist_named(line) == name


_WAITS = {
    "450 4.7.1 greylisted, try again in 300 seconds": 300,
    "450 4.7.1 please retry after 5 min": 300,
    "421 4.7.0 come back in 2 hours": 7200,
    "421 4.7.0 greylisting in action, wait 90s": 90,
    "421 4.7.0 try again in 9999 hours": None,
    "421 4.7.0 try again in 0 seconds": None,
    "421 4.7.0 try again later": None,
}


@pytest.mark.parametrize(("line", "seconds"), _WAITS.items(), ids=_WAITS)
def test_wait_is_read(line: str, seconds: int | None) -> None:
    assert retry_after_seconds(line) == seconds
