"""What does a mail server's answer give besides its words?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.replies import MAX_DIAGNOSTIC, NO_REPLY, Reply, enhanced_code_of, read_reply, smtp_code_of, stage_of
from service.model.words import SmtpStage


@pytest.mark.parametrize(
    ("words", "code", "enhanced"),
    [
        ("550 5.1.1 User unknown", 550, "5.1.1"),
        ("550-5.1.1 The account does not exist 550 5.1.1 see help", 550, "5.1.1"),
        ("550 #5.1.0 Address rejected", 550, "5.1.0"),
        ("550 User unknown (#5.1.1)", 550, "5.1.1"),
        ("550 <u@mx.example>: 5.1.1 no such user", 550, "5.1.1"),
        ("250 OK", 250, None),
        ("250 2.0.0 Ok: queued as 4X", 250, "2.0.0"),
        ("smtp; 550 5.4.1 Access denied", 550, "5.4.1"),
        ("smtp;550 5.7.606 Access denied, banned", 550, "5.7.606"),
        ("smtp; 550-5.1.1 joined 550 5.1.1 lines", 550, "5.1.1"),
        ("X-Postfix; host mx.example[192.0.2.1] said: 550 5.7.1 refused", 550, "5.7.1"),
        (" RecipientError: 550 5.1.1 user not found", 550, "5.1.1"),
        ("sent (250 2.0.0 OK 1767600123)", 250, "2.0.0"),
        ("smtp; 5.1.0 - Unknown address error 550-'5.1.1 <u@mx.example> unknown' (delivery attempts: 0)", 550, "5.1.1"),
        ("smtp; 5.3.0 - Other mail system problem 554-'Denied by policy' (delivery attempts: 0)", 554, "5.3.0"),
        ("SMTP error from remote mail server after RCPT TO:<u@example.com>: host mx.example [192.0.2.1]: 550 no user", 550, None),
        ("unable to deliver within 72 hours: 452 4.2.2 Mailbox full", 452, "4.2.2"),
        ("554 5.4.7 [internal] message timeout (last transfail: 451 4.7.1 try later)", 451, "4.7.1"),
        ("554 5.4.7 [internal] message timeout", 554, "5.4.7"),
        ("5.7.1 Service refused by policy", None, "5.7.1"),
        ("Mailbox full", None, None),
        ("Exim 4.92.3 could not connect to 192.5.1.1", None, None),
        ("waited 300 seconds on port 587", None, None),
        ("message 5501 of 550", None, None),
        ("550", 550, None),
        ("550: refused", 550, None),
        ("5505 things", None, None),
        ("4.4.1 (timed out after 20 s): 421 gone", 421, "4.4.1"),
    ],
)
def test_codes_are_read_from_the_words(words: str, code: int | None, enhanced: str | None) -> None:
    reply = read_reply(words)
    assert (reply.diagnostic, reply.smtp_code, reply.enhanced_status_code) == (words, code, enhanced)


def test_own_fields_win_over_the_words() -> None:
    reply = read_reply("550 5.1.1 unknown", code=452, enhanced="4.2.2", stage="DATA")
    assert (reply.smtp_code, reply.enhanced_status_code, reply.smtp_stage) == (452, "4.2.2", SmtpStage.DATA)


def test_own_fields_hold_without_words() -> None:
    assert read_reply(None, code="550", enhanced="5.1.1", stage=".") == Reply(None, 550, "5.1.1", SmtpStage.DOT)
    assert read_reply("") == NO_REPLY


def test_words_stay_as_they_came_but_for_their_length() -> None:
    words = "  550 no\r\n" + "x" * 10_000
    assert read_reply(words).diagnostic == words[:MAX_DIAGNOSTIC]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (550, 550),
        ("550", 550),
        (200, 200),
        (599, 599),
        (199, None),
        (605, None),
        ("605", None),
        ("5.1.1", None),
        (True, None),
        (None, None),
        (550.0, None),
        ("\u0665\u0665\u0660", None),
    ],
)
def test_reply_code_of_a_field(value: object, code: int | None) -> None:
    assert smtp_code_of(value) == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("5.1.1", "5.1.1"),
        ("5.1.1 (bad destination mailbox address)", "5.1.1"),
        (" 4.4.316", "4.4.316"),
        ("5.1.1.1", None),
        ("5.1.1234", None),
        ("", None),
        (511, None),
        ("9.1.1", None),
    ],
)
def test_enhanced_code_of_a_field(value: object, code: str | None) -> None:
    assert enhanced_code_of(value) == code


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        ("RCPT TO", "rcpt"),
        ("RCPT TO:<u@example.com>", "rcpt"),
        ("rcpt", "rcpt"),
        ("MAIL FROM", "mail"),
        ("DATA", "data"),
        (".", "dot"),
        ("end of DATA", "dot"),
        ("EHLO mail.example.com", "helo"),
        ("connect", "connect"),
        ("mailbox full", None),
        ("database error", None),
        (None, None),
        (7, None),
    ],
)
def test_stage_of_a_field(value: object, stage: str | None) -> None:
    assert stage_of(value) == stage


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("host mx said: 550 no (in reply to RCPT TO command)", "rcpt"),
        ("host mx said: 554 no (in reply to end of DATA command)", "dot"),
        ("SMTP error from remote server for RCPT TO command, host: mx reason: 550 no", "rcpt"),
        ("550 no mailbox for rcpt to this", None),
        ("host mx said: 451 no (in reply to DATA command)", "data"),
        ("421 refused (in reply to MAIL FROM command)", "mail"),
        ("554 refused (in reply to EHLO command)", "helo"),
        ("SMTP error from remote mail server after RCPT TO:<u@example.com>: 550 no", "rcpt"),
        ("SMTP error from remote mail server after pipelined MAIL FROM:<b@example.com>: 451 no", "mail"),
        ("SMTP error from remote mail server after end of data: 554 spam", "dot"),
        ("SMTP error from remote mail server after initial connection: 554 go away", "connect"),
        ("550 5.1.1 RCPT TO not wanted", None),
        ("550 please reply to the postmaster after reading the data", None),
        ("timeout during lunch", None),
    ],
)
def test_stage_is_read_where_the_words_say_it(words: str, stage: str | None) -> None:
    assert read_reply(words).smtp_stage == stage


@given(
    st.text() | st.from_regex(r"[245]\d\d[ -][245]\.[0-9]{1,3}\.[0-9]{1,3}.{0,80}"),
    st.none() | st.integers() | st.text(),
    st.none() | st.text(),
)
def test_any_answer_gives_codes_in_their_range(words: str, code: object, enhanced: object) -> None:
    reply = read_reply(words, code=code, enhanced=enhanced, stage=enhanced)
    assert reply.smtp_code is None or 200 <= reply.smtp_code <= 599
    assert reply.enhanced_status_code is None or enhanced_code_of(reply.enhanced_status_code) == reply.enhanced_status_code
