"""Is an answer freed from its wrappings?"""

import pytest

from service.classify.tidy import MAX_LINE, tidy
from service.classify.wording import wording
from service.model.words import SmtpStage

_FIRST_LINES = {
    "plain": ("550 5.1.1 User unknown", "550 5.1.1 user unknown"),
    "no code": ("User unknown", "- - user unknown"),
    "status later": ("554 Sorry, no mailbox (#5.1.1)", "554 5.1.1 sorry, no mailbox (#5.1.1)"),
    "no status in an address": ("554 mail from 203.5.1.1 refused", "554 - mail from 0.0.0.0 refused"),
    "smtp; prefix": ("smtp; 550 5.1.1 gone", "550 5.1.1 gone"),
    "prefix without blank": ("smtp;550 5.1.1 gone", "550 5.1.1 gone"),
    "diagnostic header": ("Diagnostic-Code: smtp; 550 5.1.1 gone", "550 5.1.1 gone"),
    "error class": (" RecipientError: 550 5.1.1 gone", "550 5.1.1 gone"),
    "host said": (
        "host mx.example.com[203.0.113.9] said: 550 5.1.1 gone (in reply to RCPT TO command)",
        "550 5.1.1 gone",
    ),
    "refused to talk": ("host mx.example.com[203.0.113.9] refused to talk to me: 421 4.3.2 No resources", "421 4.3.2 no resources"),
    "last transfail": ("554 5.4.7 [internal] message timeout (last transfail: 451 4.7.1 Wait)", "451 4.7.1 wait)"),
    "IronPort": ("5.1.0 - Unknown address error 550-'5.7.1 denied' (delivery attempts: 0)", "550 5.7.1 denied' (delivery attempts: 0)"),
    "IronPort tuple": ("5.3.0 - Other mail system problem ('554', ['5.7.1 poor name'])", "554 5.7.1 poor name'])"),
    "gateway quotes": ("550 permanent failure for one or more recipients (jo@example.com:552 5.2.2 full)", "552 5.2.2 full)"),
    "Exim": (
        "SMTP error from remote mail server after RCPT TO:<jo@example.com>: host mx.example.com [203.0.113.9]: 550 gone",
        "550 - gone",
    ),
    "multi-line": ("550-5.1.1 one\r\n550-5.1.1 two\r\n550 5.1.1 three", "550 5.1.1 one two three"),
    "multi-line without status": ("550-one\n550-two\n550 three", "550 - one two three"),
    "written-out line ends": ("550-5.1.1 one\\r\\n550 5.1.1 two", "550 5.1.1 one two"),
    "quoted-printable": ("550 5.1.1 caf=C3=A9 =3D =\r\nhere", "550 5.1.1 cafe = here"),
    "URL is no quoted-printable": ("554 see http://example.com/?ip=45.0.2.1", "554 - see http://example.com/?ip=0.0.0.0"),
    "entities": ("550 5.1.1 &lt;jo@example.com&gt; gone", "550 5.1.1 <@> gone"),
    "address in brackets": ("550 5.1.1 <Jo.Spam@example.com>: gone", "550 5.1.1 <@>: gone"),
    "bare address": ("550 jo@example.com gone", "550 - <@> gone"),
    "id of a message": ("550 5.1.1 gone d2e1a72fcca58-7aa4fffc9a5si1234.123 - gsmtp", "550 5.1.1 gone d# - gsmtp"),
    "server and time": (
        "550 5.1.1 gone [DB5EUR01FT000.eop-EUR01.prod.protection.outlook.com 2026-11-23T10:11:12.123Z 08DE2A1B3C4D5E6F]",
        "550 5.1.1 gone [db#.eop-eur01.prod.protection.outlook.com # #]",
    ),
    "long number": ("550 5.1.1 gone 1700000000123", "550 5.1.1 gone #"),
    "answer of a block list": ("554 5.7.1 listed, 127.0.0.4", "554 5.7.1 listed, 127.0.0.4"),
    "house code": ("550 5.1.1 Adresse invalide OFR004_416 [416]", "550 5.1.1 adresse invalide ofr004_416 [416]"),
    "version": ("550 5.7.1 refused, see 1.2.3", "550 5.7.1 refused, see 1.2.3"),
    "wide letters": ("\uff15\uff15\uff10 \uff15.1.1 \uff33\uff30am", "550 5.1.1 spam"),
    "letters and marks apart": ("550 Boi\u0302te pleine", "550 - boite pleine"),
    "Turkish": ("550 KULLANICI, kullan\u0131c\u0131, İzin", "550 - kullanici, kullanici, izin"),
    "bracket after the code": ("554 (RTR:BL) refused", "554 - (rtr:bl) refused"),
    "marks": ("550 Boîte aux lettres désactivée", "550 - boite aux lettres desactivee"),
    "no Latin": ("550 Ящик", "550 - ящик"),
    "control characters": ("550 5.1.1 a\x00b\x1b[0m", "550 5.1.1 a b [0m"),
    "lone surrogate": ("550 5.1.1 \ud800", "550 5.1.1 "),
    "empty": ("", "- - "),
    "blank": (" \r\n\t ", "- - "),
    "only digits": ("5505115", "- - 5505115"),
    "only a URL": ("https://example.com/550", "- - https://example.com/550"),
    "only a code": ("550", "550 - "),
}


@pytest.mark.parametrize(("text", "line"), _FIRST_LINES.values(), ids=_FIRST_LINES)
def test_answer_is_unwrapped_to_one_line(text: str, line: str) -> None:
    assert tidy(text).lines[0] == line


def test_gateways_own_words_come_after_the_answer_it_quotes() -> None:
    lines = tidy("550 5.7.1 rejected for policy, backend answer (552 5.2.2 full)").lines
    assert [line[:9] for line in lines] == ["552 5.2.2", "550 5.7.1"]


def test_messenger_of_another_answer_has_no_words_of_its_own() -> None:
    assert len(tidy("delivery blocked? host mx.example.com[203.0.113.9] said: 552 5.2.2 full").lines) == 1


def test_answer_about_the_sender_is_none_about_the_recipient() -> None:
    text = "550 5.1.7 <news@example.com>: Sender address rejected: undeliverable address: host mx.example.com said: 550 5.1.1 User unknown"
    assert [line[:9] for line in tidy(text).lines] == ["550 5.1.7"]


def test_reason_of_waiting_does_not_hide_that_the_mail_expired() -> None:
    assert tidy("550 5.4.300 Message expired -> 451 4.7.500 Server busy").lines[0].startswith("550 5.4.300 message expired")


def test_gateways_words_stay_where_the_answer_it_quotes_has_none() -> None:
    assert [line[:9] for line in tidy("550 5.4.300 Message held -> 451 4.4.0").lines] == ["451 4.4.0", "550 5.4.3"]


def test_codes_of_the_event_stand_in_where_the_text_has_none() -> None:
    assert tidy("user unknown", 550, "5.1.1").lines == ("550 5.1.1 user unknown",)
    assert tidy("552 5.2.2 full", 550, "5.1.1").lines == ("552 5.2.2 full",)


def test_long_text_is_capped() -> None:
    assert len(tidy("a b " * 250_000).lines[0]) <= MAX_LINE + len("- - ")


def test_longest_address_is_masked_without_looking_into_it() -> None:
    assert tidy("x" * 3000 + "@example.com").lines == ("- - <@>",)


_STAGES = {
    "550 gone (in reply to RCPT TO command)": SmtpStage.RCPT,
    "550 gone (in reply to end of DATA command)": SmtpStage.DOT,
    "550 gone (in reply to MAIL FROM command)": SmtpStage.MAIL,
    "SMTP error from remote mail server after RCPT TO:<jo@example.com>: 550 gone": SmtpStage.RCPT,
    "SMTP error from remote mail server after initial connection: 554 no": SmtpStage.CONNECT,
    "host mx.example.com refused to talk to me: 554 no": SmtpStage.CONNECT,
    "lost connection while performing the EHLO handshake": SmtpStage.CONNECT,
    "550 come to my party, sending greetings": None,
    "550 5.1.1 gone": None,
}


@pytest.mark.parametrize(("text", "stage"), _STAGES.items(), ids=_STAGES)
def test_stage_is_read_from_the_wrapping(text: str, stage: SmtpStage | None) -> None:
    assert tidy(text).stage is stage


def test_wordings_that_differ_in_ids_are_one() -> None:
    first = "550 5.7.1 <jo@example.com> from [203.0.113.9] refused, id AB12345678, see https://mx1.example.com/a"
    second = "550 5.7.1 <al@example.net> from [198.51.100.7] refused, id CD87654321, see https://mx2.example.com/b"
    assert wording(first) == wording(second) == "550 5.7.1 <@> from [#] refused, id #, see #"
