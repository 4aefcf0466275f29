"""Are mails that came back read whatever state they are in, and is what their senders can do to us bounded?"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.esp_kit.addresses import address_of
from service.esp_kit.dsn_fields import address_in_verp, groups_in, mail_date, typed_address, untyped
from service.esp_kit.dsn_mail import parse_mail
from service.esp_kit.dsn_mime import decoded_words, read_mail
from service.esp_kit.dsn_report import _told_by
from service.esp_kit.jsontext import MAX_TEXT
from service.esp_kit.replies import MAX_DIAGNOSTIC
from service.model.errors import UnreadableError
from service.model.events import Delivery, Parsed

MAILS = sorted((Path(__file__).parents[3] / "service/esp/samples").glob("*/*.eml"))
TOP = b"From: MAILER-DAEMON@relay.example.com\nTo: b@example.com\nSubject: failure notice\n"
STATUS = (
    TOP + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
)
GROUP = b"Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n\n"
HOSTILE = {
    "boundaries in boundaries": TOP + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
    "a boundary on every line": TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 400_000,
    "blank lines": STATUS + b"\n" * 2_000_000,
    "a line of dashes": TOP + b"\nThis is the qmail-send program\n" + (b"-" * 999 + b"\n") * 2_000,
    "one endless line": TOP + b"\nThis is the qmail-send program\n" + b"a@" * 1_000_000,
    "tags without end": TOP + b"Content-Type: text/html\n\n" + b"<a " * 700_000,
    "headers without end": b"Subject: x\n" * 200_000,
    "a header folded without end": b"Subject: x\n" + b" y\n" * 600_000,
    "encoded words without end": b"Subject: " + b"=?utf-8?q?" * 200_000 + TOP + b"Auto-Submitted: auto-replied\n\n",
    "a charset that is none": TOP + b"Content-Type: text/plain; charset=unicode_escape\n\n" + b"\\d" * 500_000,
    "numbered parameters": b"Content-Type: multipart/report" + b"".join(b"; boundary*%d*=x" % n for n in range(90)) + b"\n\nx",
}


def parse(body: bytes, content_type: str = "message/rfc822") -> Parsed:
    return parse_mail(
        Delivery(id="0" * 32, source="s", received_at=datetime(2026, 1, 5, tzinfo=UTC), body=body, content_type=content_type), "dsn"
    )


def check_sound(body: bytes) -> None:
    try:
        parsed = parse(body)
    except UnreadableError:
        return
    for event in parsed.events:
        texts = (
            event.subject,
            event.message_id,
            event.esp_event_id,
            event.esp_event_type,
            event.esp_class,
            event.remote_host,
            event.campaign,
        )
        assert all(text is None or 0 < len(text) <= MAX_TEXT for text in texts)
        assert all("\0" not in text and text.encode() for text in texts if text)
        assert event.recipient is None or address_of(event.recipient) == event.recipient
        assert len(event.diagnostic or "") <= MAX_DIAGNOSTIC


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mail_is_read_or_refused(body: bytes) -> None:
    check_sound(body)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mail_with_lines_lost_doubled_or_spoilt_never_raises(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(MAILS)).read_bytes().splitlines(keepends=True)
    start, length = data.draw(st.integers(0, len(lines))), data.draw(st.integers(0, 8))
    spoilt = data.draw(st.sampled_from([b"", b"\0", b"\xff\xfe: \xf0\n", b"\n\n", b"Content-Type: multipart/mixed; boundary=x\n"]))
    check_sound(b"".join([*lines[:start], spoilt, *lines[start + length :], *lines[start : start + length]]))


@given(st.text(max_size=400))
def test_fields_of_any_text_never_raise(written: str) -> None:
    assert all(name == name.lower() and name.isascii() for group in groups_in(written) for name in group)
    untyped(written)
    for address in (typed_address(written), address_in_verp(written)):
        assert address is None or address_of(address) == address
    mail_date(written)
    decoded_words(written)


def test_many_groups_are_many_events_up_to_a_bound() -> None:
    parsed = parse(STATUS + b"".join(GROUP.replace(b"a@", b"a%d@" % n) for n in range(3_000)))
    assert len(parsed.events) == 2_000
    assert len({event.recipient for event in parsed.events}) == 2_000


def test_same_report_posted_again_is_the_same_events() -> None:
    body = next(path for path in MAILS if path.stem == "postfix-two-recipients").read_bytes()
    assert [event.identity for event in parse(body).events] == [event.identity for event in parse(body + b"\r\n").events]


def test_reports_of_two_mails_are_two_events() -> None:
    bodies = [b"Message-ID: <r%d@relay.example.com>\n" % n + STATUS + GROUP for n in range(2)]
    assert len({parse(body).events[0].identity for body in bodies}) == 2


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("rfc822;a@example.com", "a@example.com"),
        ("RFC822 ; <A@Example.com>", "a@example.com"),
        ("rfc822; a@example.com (expanded)", "a@example.com"),
        ("rfc822;a+3Db@example.com", "a=b@example.com"),
        ("rfc822;a+ab@example.com", "a+ab@example.com"),
        ("utf-8; j\\x{FC}rgen@example.com", "jürgen@example.com"),
        ("x400; /G=A/S=B/", None),
        ("rfc822;", None),
        (None, None),
    ],
)
def test_typed_addresses(written: str | None, address: str | None) -> None:
    assert typed_address(written) == address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("b+name=example.com@bounces.example", "name@example.com"),
        ("<bounces-first.last=mail.example.com@example.org>", "first.last@mail.example.com"),
        ("b+token@example.com", None),
        ("a=b@example.com", None),
    ],
)
def test_recipient_in_a_return_path(written: str, address: str | None) -> None:
    assert address_in_verp(written) == address


@pytest.mark.parametrize(
    "written", ["Mon, 5 Jan 2026 12:00:07 +0100", "5 Jan 2026 11:00:07 -0000", "2026-01-05T11:00:07Z", "Mon, 5 Jan 2026 06:00:07 EST"]
)
def test_dates_of_mails(written: str) -> None:
    assert mail_date(written) == datetime(2026, 1, 5, 11, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, "", "yesterday", "Mon, 99 Jan 2026 99:00:00 +9999", "5 Jan 1926 11:00:00 +0000", "1 " * 100])
def test_dates_that_are_none(written: str | None) -> None:
    assert mail_date(written) is None


def test_broken_encoded_words_stay_as_they_are() -> None:
    assert decoded_words("=?utf-8?b?A?=") == "=?utf-8?b?A?="
    assert decoded_words("=?nowhere?q?a?=") == "=?nowhere?q?a?="
    assert decoded_words("=?utf-8?q?a=C3=BC?= b") == "aü b"


def test_attached_mail_is_not_taken_for_the_report_around_it() -> None:
    """Whoever sends a bounce of a bounce, the inner one is not about us."""
    inner = STATUS.replace(b'"b"', b'"c"').replace(b"--b", b"--c") + GROUP.replace(b"a@", b"inner@") + b"--c--\n"
    body = STATUS + GROUP + b"--b\nContent-Type: message/rfc822\n\n" + inner + b"--b--\n"
    assert [event.recipient for event in parse(body).events] == ["a@example.com"]


def test_parts_nested_too_deep_are_left_as_one() -> None:
    mail = read_mail(HOSTILE["boundaries in boundaries"], "")
    assert len(mail.parts) == 1


def test_an_address_cut_in_two_is_nobody() -> None:
    """Long headers are cut, and half a domain is another domain."""
    listed = b", ".join(b"recipient%03d@example.com" % number for number in range(300))
    found = parse(TOP + b"X-Failed-Recipients: " + listed + b"\n\nIt could not be delivered.\n").events
    assert len(found) > 100
    assert {event.recipient.partition("@")[2] for event in found if event.recipient} == {"example.com"}


def test_many_recipients_of_one_paragraph_cost_little() -> None:
    """The paragraph is read once, not once for each of them."""
    paragraph = b"a@example.com " + b"in reply to by a " * 900
    parts = b"--b\n\n" + paragraph + b"\n--b\nContent-Type: message/delivery-status\n\n" + GROUP * 500
    mail = TOP + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" + parts
    _told_by.cache_clear()
    assert len(parse(mail).events) == 500
    assert _told_by.cache_info().misses == 1
