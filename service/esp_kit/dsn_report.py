"""What happened to whom, by a delivery report (RFC 3464) or by a bounce that is only a text?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from service.esp_kit import jsontext
from service.esp_kit.dsn_fields import Group, address_in_verp, groups_in, mail_date, typed_address, untyped
from service.esp_kit.dsn_mime import Headers, Mail, Part, decoded_words, first, read_headers
from service.esp_kit.dsn_texts import bounce_in, server_named_in, stage_named_in, text_for_people
from service.esp_kit.hosts import Server, server_in
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.reading import NotAnEventError, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, Reply, enhanced_code_of, read_reply, stage_of
from service.model.events import Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # Action -> ours
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.DELIVERED,
    "expanded": EventKind.DELIVERED,
}
_FAILED = ("fail", "error")  # OpenSMTPD and others have words of their own
_BY_CLASS = {"5": "failed", "4": "delayed", "2": "delivered"}  # a status code's first digit, where there is no action
_REPORTED = {"5": ReportedType.HARD, "4": ReportedType.SOFT}
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_ORIGINALS = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers")
_LOST = re.compile(r"^(?:Reporting-MTA|Original-Recipient|Final-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")
_CAMPAIGN_HEADERS = ("x-campaign", "x-campaign-id", "x-campaign-name", "campaign-id")
_KEPT_HEADERS = ("feedback-id", "list-id", *_CAMPAIGN_HEADERS)
_BY_HOST = re.compile(r"(?:^|\s)by ([A-Za-z0-9][A-Za-z0-9.-]{0,250})")
_SHORT = 3  # a second level like `co` or `com` under a country's


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What all recipients of a report share."""

    esp: str
    mail: Mail
    original: Headers
    about: Group
    paragraphs: tuple[str, ...]  # of the text for people, each on one line


class _Told(NamedTuple):
    """What the text for people says that the report's fields do not."""

    reply: Reply
    server: Server


def report_in(mail: Mail, esp: str) -> Parsed | None:
    """The events of a delivery report, or of a text in its place; None where the mail is neither."""
    groups = _status_groups(mail)
    copied: Headers = {}
    if not any(_is_about_a_recipient(group) for group in groups):
        found, copied = bounce_in(mail)
        groups = [*groups, *found]
    told = [group for group in groups if _is_about_a_recipient(group)]
    if not told:
        return None
    about = next((group for group in groups if not _is_about_a_recipient(group)), told[0])  # no blank line between: all in one group
    original = original_of(mail) or copied
    report = _Report(esp=esp, mail=mail, original=original, about=about, paragraphs=_paragraphs(mail))
    return read_items(told, lambda group: _read(group, report), known=_KINDS)


def rejection_in(receipt: Part, mail: Mail, esp: str) -> Parsed | None:
    """A refusal by the recipient's filter, which comes as a receipt that says "deleted" (RFC 5429, section 2.1.2)."""
    groups = [group for group in groups_in(receipt.text) if _is_about_a_recipient(group) and _is_refused(group)]
    report = _Report(esp=esp, mail=mail, original=original_of(mail), about={}, paragraphs=_paragraphs(mail))
    said = " ".join(report.paragraphs)[:MAX_DIAGNOSTIC]
    told = [{**group, "action": "failed", "diagnostic-code": said} for group in groups]
    return read_items(told, lambda group: _read(group, report), known=_KINDS) if told else None


def original_of(mail: Mail) -> Headers:
    """The headers of the mail that came back with the report."""
    return next((headers for part in mail.parts_of(*_ORIGINALS) if (headers := read_headers(part.body))), {})


def original_id(original: Headers, mail: Mail, envelope_id: str | None = None) -> str | None:
    """The id of the mail that it is all about."""
    written = first(original, "message-id") or envelope_id or mail.header("in-reply-to") or _last_reference(mail)
    return (bare_message_id(written) or "")[: jsontext.MAX_TEXT] or None


def _last_reference(mail: Mail) -> str | None:
    return next(reversed((mail.header("references") or "").split()), None)


def campaign_of(original: Headers) -> str | None:
    """The campaign that the original names in a header of its own."""
    return decoded_words(next((value for name in _CAMPAIGN_HEADERS if (value := first(original, name))), None))


def kept_headers(original: Headers) -> dict[str, str] | None:
    """What the original says of whose mail it is."""
    return {name: value for name in _KEPT_HEADERS if (value := decoded_words(first(original, name)))} or None


def _status_groups(mail: Mail) -> list[Group]:
    """The groups of all status parts; of a part that lost its type in broken MIME, from where they begin."""
    parts = mail.parts_of(*_STATUS_PARTS)
    if parts:
        return [group for part in parts for group in groups_in(part.text)]
    for part in mail.parts:
        if part.content_type not in _ORIGINALS and (lost := _LOST.search(written := part.text)):
            return groups_in(written[lost.start() :])
    return []


def _is_refused(group: Group) -> bool:
    disposition = group.get("disposition", "").lower()
    return disposition.startswith("automatic-action/") and "deleted" in disposition


def _is_about_a_recipient(group: Group) -> bool:
    return any(name in group for name in _RECIPIENT_FIELDS)


def _read(group: JsonObject, report: _Report) -> Iterator[Event]:
    field = {name: value for name, value in group.items() if isinstance(value, str)}
    recipient = _recipient(field, report)
    paragraph = next((found for found in report.paragraphs if recipient in found.lower()), "")
    reply = _reply(field, paragraph)
    action = _action(field, reply)
    kind = _KINDS.get(action, EventKind.OTHER)
    phase = _phase(field, report, kind)
    server = _server(field, report, paragraph, phase)
    report_id = bare_message_id(report.mail.header("message-id"))
    told_id = report.about.get("x-original-message-id") or untyped(report.about.get("original-envelope-id"))
    message_id = original_id(report.original, report.mail, told_id)
    occurred_at = mail_date(field.get("last-attempt-date")) or mail_date(report.mail.header("date"))
    yield Event(
        kind=kind,
        esp=report.esp,
        recipient=recipient,
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=report_id[: jsontext.MAX_TEXT] if report_id else None,
        esp_event_type=action,
        reported_type=_reported(kind, field, reply),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=server.host,
        remote_ip=server.ip,
        campaign=campaign_of(report.original),
        metadata=kept_headers(report.original),
        subject=decoded_words(first(report.original, "subject")),
        phase=phase,
        identity=identity_of(
            "report", report_id or occurred_at, message_id, action, field.get("status"), None if report_id else reply.diagnostic
        ),
    )


def _recipient(field: Group, report: _Report) -> str:
    """The address that we wrote to; the final one may be rewritten or forwarded."""
    named = next((address for name in _RECIPIENT_FIELDS if (address := typed_address(field.get(name)))), None)
    found = named or address_in_verp(report.mail.header("to")) or typed_address(report.mail.header("x-failed-recipients"))
    if found is None:
        raise NotAnEventError("the report names no address of a recipient")
    return found


def _action(field: Group, reply: Reply) -> str:
    """In lower case, without the comment that some write behind it."""
    written = (field.get("action") or "").lower().split()
    if written:
        word = written[0][: jsontext.MAX_TEXT].rstrip(";,(") or "unknown"
        return "failed" if word.startswith(_FAILED) else "delayed" if word.startswith("delay") else word
    return _BY_CLASS.get((reply.enhanced_status_code or str(reply.smtp_code or ""))[:1], "unknown")


def _reply(field: Group, paragraph: str) -> Reply:
    """A status may be as general as 5.0.0 while the text says more; the command stands in the text for people alone."""
    diagnostic = text(field, "diagnostic-code", MAX_DIAGNOSTIC)
    told, status = _told_by(paragraph).reply, enhanced_code_of(field.get("status"))
    reply = read_reply(diagnostic) if untyped(diagnostic) else told
    stage = reply.smtp_stage or stage_of(stage_named_in(reply.diagnostic or "")) or told.smtp_stage
    enhanced = reply.enhanced_status_code if status is None or (status.endswith(".0.0") and reply.enhanced_status_code) else status
    return replace(reply, enhanced_status_code=enhanced, smtp_stage=stage)


def _reported(kind: EventKind, field: Group, reply: Reply) -> ReportedType | None:
    if kind is EventKind.DEFERRED:
        return ReportedType.SOFT
    if kind is not EventKind.BOUNCED:
        return None
    claimed = enhanced_code_of(field.get("status")) or str(reply.smtp_code or "") or reply.enhanced_status_code or ""
    return _REPORTED.get(claimed[:1], ReportedType.UNDETERMINED)


def _reporter(report: _Report) -> str | None:
    """Who writes the report; a bare text is signed by its sender's host."""
    named = server_in(untyped(report.about.get("reporting-mta"))).host
    return named or server_in((typed_address(report.mail.header("from")) or "").rpartition("@")[2]).host


def _phase(field: Group, report: _Report, kind: EventKind) -> Phase:
    """By who writes: a system of the one that took the report in tells of a session, another one of what it took and did not keep."""
    taken_by = _BY_HOST.search(report.mail.header("received") or "")
    reporter = _reporter(report)
    if kind is EventKind.OTHER or taken_by is None or reporter is None:
        return Phase.UNKNOWN
    if _organisation(reporter) != _organisation(taken_by[1]):
        return Phase.ASYNC
    is_answer = untyped(field.get("remote-mta")) or read_reply(field.get("diagnostic-code")).smtp_code
    return Phase.SYNC if is_answer else Phase.LOCAL


def _organisation(host: str) -> list[str]:
    """The last two labels, three under a country's `co.` or `com.`: good enough to tell two organisations apart."""
    labels = host.lower().rstrip(".").split(".")
    is_country = len(labels) > _SHORT - 1 and len(labels[-1]) < _SHORT and len(labels[-2]) <= _SHORT
    return labels[-3:] if is_country else labels[-2:]


def _server(field: Group, report: _Report, paragraph: str, phase: Phase) -> Server:
    """The server that answered; where the reporter names none and is not ours, it is the one that refused."""
    named = server_in(untyped(field.get("remote-mta")))
    told = server_named_in(field.get("diagnostic-code") or "")
    told = told if any(told) else _told_by(paragraph).server
    own = _reporter(report) if phase is Phase.ASYNC else None
    return Server(named.host or told.host or (None if named.ip else own), named.ip or told.ip)


def _paragraphs(mail: Mail) -> tuple[str, ...]:
    written = text_for_people(mail)[: 4 * MAX_DIAGNOSTIC]
    return tuple(line for paragraph in re.split(r"\n[ \t\r]*\n", written) if (line := " ".join(paragraph.split())))


@lru_cache(maxsize=16)  # a report of two thousand recipients may have one paragraph for all of them
def _told_by(paragraph: str) -> _Told:
    return _Told(read_reply(paragraph), server_named_in(paragraph))
