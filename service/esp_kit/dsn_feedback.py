"""Who complained about which mail, by a feedback report (RFC 5965)?"""

import re
from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.addresses import address_of, addresses_in
from service.esp_kit.dsn_fields import address_in_verp, mail_date, typed_address, untyped
from service.esp_kit.dsn_mime import Headers, Mail, decoded_words, first, read_headers
from service.esp_kit.dsn_report import campaign_of, kept_headers, original_id, original_of
from service.esp_kit.hosts import ip_of, server_in
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.reading import event_type_in, read_items
from service.model.events import Event, Parsed
from service.model.words import EventKind

_PART = "message/feedback-report"
_TYPE = "feedback-type"
_KINDS = {
    # Feedback-Type -> ours
    "abuse": EventKind.COMPLAINED,
    "fraud": EventKind.COMPLAINED,
    "virus": EventKind.COMPLAINED,
    "other": EventKind.COMPLAINED,
    "not-spam": EventKind.OTHER,  # the reader took it out of his spam folder
    "opt-out": EventKind.UNSUBSCRIBED,  # as is the next, of the drafts before the RFC
    "opt-out-list": EventKind.UNSUBSCRIBED,
    "auth-failure": EventKind.OTHER,  # tells of authentication, not of a reader (RFC 6591)
}
_FEED_HEADER = "x-hmxmroriginalrecipient"  # Microsoft's feed for senders, which posts the mail and no report
_RECIPIENT_HEADERS = (_FEED_HEADER, "to")
_CUT_OUT = re.compile(r"\W*redacted\b.*")


def feedback_in(mail: Mail, esp: str) -> Parsed | None:
    """The events of a feedback report; None where the mail is none."""
    fields = _fields_of(mail)
    if not fields:
        return None
    item = {name: values[0] for name, values in fields.items()}
    return read_items([item], lambda item: _read(item, fields, mail, esp), known=_KINDS)


def _fields_of(mail: Mail) -> Headers:
    """The report's fields; where the feed sends the mail alone, what that says in its subject."""
    part = next(iter(mail.parts_of(_PART)), None)
    if part is not None:
        return read_headers(part.body)
    if mail.report_type or _FEED_HEADER not in original_of(mail):
        return {}
    return {_TYPE: ("abuse",), "source-ip": ((mail.header("subject") or "").rpartition(" ")[2],)}


def _read(item: JsonObject, fields: Headers, mail: Mail, esp: str) -> Iterator[Event]:
    feedback_type = event_type_in(item, _TYPE).lower()
    original = original_of(mail)
    report_id, occurred_at = bare_message_id(mail.header("message-id")), mail_date(mail.header("date"))
    message_id = original_id(original, mail, text(item, "original-envelope-id"))
    for recipient in _recipients(fields, original):
        yield Event(
            kind=_KINDS.get(feedback_type, EventKind.OTHER),
            esp=esp,
            recipient=recipient,
            occurred_at=occurred_at,
            message_id=message_id,
            esp_event_id=report_id[: jsontext.MAX_TEXT] if report_id else None,
            esp_event_type=feedback_type,
            esp_class=text(item, "auth-failure"),
            esp_subclass=text(item, "delivery-result"),
            remote_host=server_in(untyped(text(item, "reporting-mta"))).host,
            sending_ip=ip_of(text(item, "source-ip")),
            campaign=campaign_of(original),
            metadata=kept_headers(original),
            subject=decoded_words(first(original, "subject")),
            identity=identity_of("feedback", report_id or occurred_at, message_id, text(item, "arrival-date")),
        )


def _recipients(fields: Headers, original: Headers) -> tuple[str | None, ...]:
    """Whom the report names; else whom our own return path or the mail's header names; often nobody, for many cut it out."""
    told = (address_of(value) or typed_address(value) for value in fields.get("original-rcpt-to", ()))
    named = [address for address in told if address and not _CUT_OUT.match(address)]
    if named:
        return tuple(dict.fromkeys(named[: jsontext.MAX_LISTED]))
    paths = (*fields.get("original-mail-from", ()), *original.get("return-path", ()))
    returned = next((address for path in paths if (address := address_in_verp(path))), None)
    if returned:
        return (returned,)
    listed = next((found for name in _RECIPIENT_HEADERS if (found := addresses_in(first(original, name)))), ())
    return listed if len(listed) == 1 else (None,)
