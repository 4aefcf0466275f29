"""Mailgun: one event per delivery with an HMAC over time and token; legacy hooks post flat forms instead.

Oddities: the signature does not cover the body, so a token may vouch for one event only; event ids are unique within a day only; 605 to
607 are Mailgun's own codes for addresses on its lists; in legacy forms the sender's variables lie among the fields. Facts: Mailgun's
documentation on webhooks, events and tracking failures.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from service.esp_kit import forms, jsontext
from service.esp_kit.adapter import Adapter, Capabilities, Refused, Signer, SigningKeys, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import addresses_in
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import shared_keys, token_triple
from service.esp_kit.verify_hmac import verify_token
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, OneTimeProof, Parsed
from service.model.values import passing
from service.model.words import EventKind, Phase, ReportedType

# Posts are retried for 8 hours, and whether a retry is signed anew is said nowhere; what stops a replay inside the window is that a token
# vouches for one event only.
_WINDOW = timedelta(hours=26)

_KINDS = {
    # Mailgun's event -> ours
    "accepted": EventKind.QUEUED,
    "delivered": EventKind.DELIVERED,
    "failed": EventKind.BOUNCED,  # deferred where temporary, rejected where the address is on a list
    "rejected": EventKind.REJECTED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "complained": EventKind.COMPLAINED,
    "stored": EventKind.OTHER,
    "list_member_uploaded": EventKind.OTHER,
    "list_member_upload_error": EventKind.OTHER,
    "list_uploaded": EventKind.OTHER,
    "bounced": EventKind.BOUNCED,  # legacy
    "dropped": EventKind.REJECTED,  # legacy; bounced where `reason` tells of tries
}
# Looked up once: an enum's member costs more than what is done with it, and nearly all mail is delivered.
_OTHER, _UNKNOWN = EventKind.OTHER, Phase.UNKNOWN
_ANSWERED = frozenset({EventKind.REJECTED, EventKind.BOUNCED, EventKind.DEFERRED})
_SEVERITIES = {"permanent": ReportedType.HARD, "temporary": ReportedType.SOFT}
_TRIED = {"hardfail": ReportedType.HARD, "old": ReportedType.SOFT}  # reasons of a legacy `dropped` after tries -> what they claim
_LISTED_CODES = frozenset({"605", "606", "607"})
_OWN_CODES = re.compile(r"498|499|6\d\d")  # no MX, no connection, gave up, on a list: no server said so
_LEGACY_NAMES = (
    "Message-Id message-id X-Mailgun-Sid X-Mailgun-Tag attachment-count body-plain campaign-id campaign-name city client-name client-os "
    "client-type code country description device-type domain error event ip mailing-list message-headers notification "
    "reason recipient region severity signature tag timestamp token url user-agent"
)
_LEGACY_FIELDS = frozenset(_LEGACY_NAMES.split())


@passing(frozen=True, slots=True)
class _Posted:
    """A body taken apart: the proof it carries and the event."""

    timestamp: str
    token: str
    signatures: tuple[str, ...]
    event: JsonObject


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    try:
        posted = _take_apart(request.body, request.headers.get("content-type", ""))
    except UnreadableError as error:
        return Refused(str(error))
    return verify_token(posted.timestamp, posted.token, posted.signatures, trust, now, past=_WINDOW)


def _parse(delivery: Delivery) -> Parsed:
    posted = _take_apart(delivery.body, delivery.content_type)
    if not posted.event:
        raise UnreadableError("the body holds no event-data")
    parsed = read_items([posted.event], _read, known=_KINDS)
    if not parsed.events or not posted.token:
        return parsed
    vouched = parsed.events[0]
    recipients = ",".join([event.recipient or "" for event in parsed.events])
    subject = "\n".join((vouched.kind, vouched.esp_event_type or "", recipients, *vouched.identity))
    proof = OneTimeProof(token=posted.token, subject=subject)
    return Parsed(events=parsed.events, problems=parsed.problems, unknown_kinds=parsed.unknown_kinds, proof=proof)


def _take_apart(body: bytes, content_type: str) -> _Posted:
    """Read in one way for verifying and parsing, so that no token can be shown to the one and another to the other."""
    if body.lstrip()[:1] == b"{":
        return _from_json(jsontext.load_object(body))
    return _from_form(forms.read_form(body, content_type))


def _from_json(payload: JsonObject) -> _Posted:
    signed: set[tuple[str, str]] = set()
    signatures: list[str] = []
    # a sub-account's event is signed twice over the same time and token: once with its own key, once with the primary account's
    for name in ("signature", "parent-signature"):
        if proof := mapping(payload, name):
            signed.add((text(proof, "timestamp") or "", text(proof, "token") or ""))
            if signature := text(proof, "signature"):
                signatures.append(signature)
    timestamp, token = signed.pop() if len(signed) == 1 else ("", "")
    return _Posted(timestamp, token, tuple(signatures), mapping(payload, "event-data"))


def _from_form(fields: list[tuple[str, str]]) -> _Posted:
    last, first = dict(fields), forms.first_values(fields)  # a repeated field: the proof's is the last, the event's the first
    timestamp, token, signature = (last.get(name, "")[: jsontext.MAX_TEXT] for name in ("timestamp", "token", "signature"))
    return _Posted(timestamp, token, (signature,) if signature else (), _modern(first, timestamp) if "event" in first else EMPTY)


def _modern(fields: Mapping[str, str], timestamp: str) -> JsonObject:
    """A legacy form in the shape that events have today."""
    headers = {
        "message-id": fields.get("Message-Id") or fields.get("message-id"),
        "subject": _subject_in(fields.get("message-headers", "")),
    }
    tags = [tag for name in ("tag", "X-Mailgun-Tag") if (tag := fields.get(name))]
    words = fields.get("error") or fields.get("notification") or fields.get("description")
    return {
        **{name: fields[name] for name in ("event", "recipient", "severity", "reason", "url", "ip") if name in fields},
        "timestamp": timestamp,
        "delivery-status": {"code": fields.get("code"), "message": words},
        "message": {"headers": headers},
        "tags": tags,
        "campaigns": [{"name": fields.get("campaign-name"), "id": fields.get("campaign-id")}],
        "user-variables": {
            name: value for name, value in fields.items() if name not in _LEGACY_FIELDS and not name.startswith("attachment-")
        },
    }


def _subject_in(message_headers: str) -> str | None:
    """The subject in a legacy form's list of header names and values."""
    try:
        listed = jsontext.load_items(message_headers.encode())
    except UnreadableError:
        return None
    pairs = (pair for pair in listed if isinstance(pair, list) and len(pair) == len(("name", "value")))
    return next((value for name, value in pairs if name == "Subject" and isinstance(value, str)), None)


def _read(event: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(event, "event")
    status, headers = mapping(event, "delivery-status"), mapping(mapping(event, "message"), "headers")
    code, reason, severity = text(status, "code"), text(event, "reason"), text(event, "severity")
    words = text(status, "message", MAX_DIAGNOSTIC) or text(status, "description", MAX_DIAGNOSTIC)
    reject = mapping(event, "reject")
    words = words or text(reject, "description", MAX_DIAGNOSTIC) or text(reject, "reason", MAX_DIAGNOSTIC)
    # older events write the enhanced code where the reply code belongs
    reply = read_reply(words, code=_number(code), enhanced=text(status, "enhanced-code") or code)
    is_listed = (reason or "").startswith("suppress-") or code in _LISTED_CODES
    kind = _kind(event_type, severity, reason, is_listed=is_listed)
    occurred_at, event_id, message_id = moment_of(event.get("timestamp")), text(event, "id"), text(headers, "message-id")
    metadata = jsontext.text_map(mapping(event, "user-variables"))
    for recipient in _recipients(event, headers):
        yield Event(
            kind=kind,
            esp="mailgun",
            recipient=recipient,
            occurred_at=occurred_at,
            message_id=bare_message_id(message_id),
            esp_event_id=event_id,
            esp_event_type=event_type,
            reported_type=_reported(event_type, severity, reason, kind),
            esp_class=severity,
            esp_subclass=reason or text(reject, "reason"),
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            remote_host=text(status, "mx-host"),
            sending_ip=text(mapping(event, "envelope"), "sending-ip"),
            campaign=_campaign(event) or campaign_in(metadata),
            tags=jsontext.texts(event, "tags"),
            metadata=metadata,
            subject=text(headers, "subject"),
            suppressed_by_esp=is_listed or None,
            phase=_phase(kind, code, mapping(event, "flags")),
            identity=_identity(event, event_id, message_id, occurred_at),
        )


def _number(code: str | None) -> object:
    return int(code) if code and code.isascii() and code.isdecimal() else None


def _recipients(event: JsonObject, headers: JsonObject) -> tuple[str | None, ...]:
    """A rejected mail has no `recipient`, only its header."""
    return addresses_in(event.get("recipient")) or addresses_in(headers.get("to")) or (None,)


def _kind(event_type: str, severity: str | None, reason: str | None, *, is_listed: bool) -> EventKind:
    kind = _KINDS.get(event_type, _OTHER)
    if event_type == "failed" and severity == "temporary":
        return EventKind.DEFERRED
    if is_listed and kind is EventKind.BOUNCED:
        return EventKind.REJECTED
    if event_type == "dropped" and reason in _TRIED and not is_listed:
        return EventKind.BOUNCED
    return kind


def _reported(event_type: str, severity: str | None, reason: str | None, kind: EventKind) -> ReportedType | None:
    if event_type == "failed":
        return _SEVERITIES.get(severity or "", ReportedType.UNDETERMINED)
    if event_type == "dropped":
        return _TRIED.get(reason or "") if kind is EventKind.BOUNCED else None
    return ReportedType.HARD if event_type == "bounced" else None


def _phase(kind: EventKind, code: str | None, flags: JsonObject) -> Phase:
    if kind not in _ANSWERED:
        return _UNKNOWN
    if kind is EventKind.REJECTED:
        return Phase.LOCAL
    if code and _OWN_CODES.fullmatch(code):
        return Phase.LOCAL
    came_later = jsontext.flag(flags, "is-delayed-bounce")
    return Phase.UNKNOWN if came_later is None else Phase.ASYNC if came_later else Phase.SYNC


def _campaign(event: JsonObject) -> str | None:
    if not event.get("campaigns"):  # nearly always: tags took their place
        return None
    campaigns = jsontext.texts(event, "campaigns")
    if campaigns:
        return campaigns[0]
    return next(
        (name for campaign in jsontext.objects(event, "campaigns") if (name := text(campaign, "name") or text(campaign, "id"))), None
    )


def _identity(event: JsonObject, event_id: str | None, message_id: str | None, occurred_at: datetime | None) -> tuple[str, ...]:
    if event_id is not None:
        return "id", event_id, str(occurred_at.date()) if occurred_at else ""
    return identity_of(text(event, "event"), message_id, occurred_at, text(event, "reason"), text(event, "url"))


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    triple = token_triple(keys.private, request.body, now)
    if request.body.lstrip()[:1] == b"{":
        payload = {**jsontext.load_object(request.body), "signature": triple}
        payload.pop("parent-signature", None)
        return replace(request, body=json.dumps(payload).encode())
    form = forms.read_form(request.body, request.headers.get("content-type", ""))
    urlencoded = {**request.headers, "content-type": "application/x-www-form-urlencoded"}
    return replace(request, headers=urlencoded, body=urlencode([*form, *triple.items()]).encode())


ADAPTER = Adapter(
    name="mailgun",
    title="Mailgun",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="token", batches=False, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=Signer(make_keys=shared_keys, sign=_sign),
    schemes=("signature", "basic", "header", "token"),
    replay_window_hours=_WINDOW.total_seconds() / 3_600,
    guide=(
        "Sending > Webhooks: enter the address for delivered, permanent_fail, temporary_fail, complained, unsubscribed and, if wanted, "
        "accepted, opened and clicked. The secret is the HTTP webhook signing key of the account, not the API key."
    ),
)
