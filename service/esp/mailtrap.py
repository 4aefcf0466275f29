"""Mailtrap: an array of mixed events in an object, or JSON Lines, HMAC over the raw body.

Oddities: `soft bounce` is written with a blank and means that Mailtrap goes on trying; every `bounce` is called hard, also where its
category is a block or the spam filter of somebody else. Facts: Mailtrap's documentation and its API description.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, lines_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import hex_of_body_signer
from service.esp_kit.verify_hmac import verify_hex_of_body
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "mailtrap-signature"

_KINDS = {
    # Mailtrap's event -> ours
    "delivery": EventKind.DELIVERED,
    "soft bounce": EventKind.DEFERRED,  # up to ten more tries
    "soft_bounce": EventKind.DEFERRED,  # as the settings of a hook write it
    "suspension": EventKind.DEFERRED,  # our account or domain is held back
    "bounce": EventKind.BOUNCED,
    "reject": EventKind.REJECTED,
    "spam": EventKind.COMPLAINED,
    "spam_complaint": EventKind.COMPLAINED,  # likewise
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}
_REPORTED = {"bounce": ReportedType.HARD, "soft bounce": ReportedType.SOFT, "soft_bounce": ReportedType.SOFT}
_SUPPRESSING = frozenset({"badrecipient", "overquota", "timeout"})  # categories after which the address is on Mailtrap's list
_OF_ACCOUNTS = "activity_log."


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_hex_of_body(request, trust, header=_SIGNATURE)


def _parse(delivery: Delivery) -> Parsed:
    return read_items(_items(delivery.body), _read, known=_KINDS, name=_type_name)


def _items(body: bytes) -> list[Any]:
    try:
        payload = jsontext.load(body)
    except UnreadableError:
        lines = lines_in(body)
        if len(lines) == 1:
            raise
        jsontext.load_object(lines[0])  # JSON Lines begin with an object; anything else is a broken body
        return lines
    if isinstance(payload, dict) and "event" in payload:
        return [payload]  # a single line
    events = payload.get("events") if isinstance(payload, dict) else payload
    if not isinstance(events, list):
        raise UnreadableError("the body holds no 'events'")
    return events


def _type_name(event: Event) -> str | None:
    event_type = event.esp_event_type or ""
    return None if event_type.startswith(_OF_ACCOUNTS) else event_type


def _read(item: JsonObject) -> Iterator[Event]:
    event_type, category = event_type_in(item, "event"), text(item, "bounce_category")
    kind = _KINDS.get(event_type, EventKind.OTHER)
    reason, event_id, message_id = text(item, "reason", MAX_DIAGNOSTIC), text(item, "event_id"), text(item, "message_id")
    reply = read_reply(text(item, "response", MAX_DIAGNOSTIC) or reason, code=item.get("response_code"))
    occurred_at, label = moment_of(item.get("timestamp")), text(item, "category")
    metadata = jsontext.text_map(mapping(item, "custom_variables"))
    yield Event(
        kind=kind,
        esp="mailtrap",
        recipient=address_of(item.get("email")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=category,
        esp_subclass=reason[: jsontext.MAX_TEXT] if reason else None,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=campaign_in(metadata),
        tags=(label,) if label else None,
        metadata=metadata,
        suppressed_by_esp=_suppressed(kind, category, reason),
        phase=Phase.LOCAL if kind is EventKind.REJECTED or event_type == "suspension" else Phase.UNKNOWN,
        identity=identity_of("id", event_id)
        if event_id
        else identity_of(event_type, message_id, occurred_at, reply.diagnostic, text(item, "url")),
    )


def _suppressed(kind: EventKind, category: str | None, reason: str | None) -> bool | None:
    if kind is EventKind.BOUNCED:
        return category.lower() in _SUPPRESSING if category else None
    return True if kind is EventKind.REJECTED and "suppress" in (reason or "").lower() else None


ADAPTER = Adapter(
    name="mailtrap",
    title="Mailtrap",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=True, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=hex_of_body_signer(_SIGNATURE),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # all but 200 is tried 40 times, every 5 minutes; then the hook is paused
    schemes=("signature", "basic", "header", "token"),
    guide=(
        "Settings > Webhooks > Create: enter the address, choose JSON or JSON Lines, tick all events for the transactional and the bulk "
        "stream, and copy the signature key into `secrets`."
    ),
)
