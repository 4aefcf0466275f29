"""Lettermint: one event per delivery, HMAC over time and body.

Oddities: whether a soft bounce is tried again is not said, so an answer of 4xx counts as such; a failure is a bounce only where a server
answered; opens and clicks say whether a machine made them. `X-Lettermint-Delivery` repeats the signed time and proves nothing, so it is
not asked for. Facts: Lettermint's documentation on webhooks and its PHP library.
"""

from collections.abc import Iterator
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, flag, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, NO_REPLY, Reply, read_reply
from service.esp_kit.sign import timestamped_hex_signer
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_timestamped_hex
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "x-lettermint-signature"

_KINDS = {
    # Lettermint's event -> ours
    "message.created": EventKind.QUEUED,
    "message.sent": EventKind.SENT,
    "message.delivered": EventKind.DELIVERED,
    "message.soft_bounced": EventKind.BOUNCED,  # deferred where the answer is 4xx
    "message.hard_bounced": EventKind.BOUNCED,
    "message.suppressed": EventKind.REJECTED,
    "message.policy_rejected": EventKind.REJECTED,
    "message.failed": EventKind.FAILED,  # bounced where a server answered
    "message.spam_complaint": EventKind.COMPLAINED,
    "message.unsubscribed": EventKind.UNSUBSCRIBED,
    "message.opened": EventKind.OPENED,
    "message.clicked": EventKind.CLICKED,
    "message.inbound": EventKind.OTHER,
    "webhook.test": EventKind.OTHER,
}
_REPORTED = {
    # a failure's event -> what it claims
    "message.soft_bounced": ReportedType.SOFT,
    "message.hard_bounced": ReportedType.HARD,
    "message.failed": ReportedType.UNDETERMINED,
}
_TEMPORARY = range(400, 500)
_HAPPENED_AT = ("opened_at", "clicked_at", "unsubscribed_at")


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_timestamped_hex(request, trust, now, header=_SIGNATURE)


def _parse(delivery: Delivery) -> Parsed:
    return read_items([jsontext.load_object(delivery.body)], _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type, mail = event_type_in(item, "event"), mapping(item, "data")
    reply, reason = _reply(mail), text(mail, "reason")
    kind = _kind(event_type, reply)
    event_id, message_id, tag = text(item, "id"), text(mail, "message_id"), text(mail, "tag")
    told_at = (*(mail.get(name) for name in _HAPPENED_AT), item.get("timestamp"))
    occurred_at = next((moment for value in told_at if (moment := moment_of(value))), None)
    metadata = jsontext.text_map(mapping(mail, "metadata"))
    yield Event(
        kind=kind,
        esp="lettermint",
        recipient=address_of(mail.get("recipient")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type) if kind in {EventKind.BOUNCED, EventKind.DEFERRED} else None,
        esp_class=_class(mail),
        esp_subclass=reason,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=campaign_in(metadata),
        tags=(tag,) if tag else None,
        metadata=metadata,
        subject=text(mail, "subject"),
        suppressed_by_esp=True if event_type == "message.suppressed" else None,
        phase=Phase.LOCAL if kind in {EventKind.REJECTED, EventKind.FAILED} else Phase.UNKNOWN,
        identity=identity_of("id", event_id) if event_id else identity_of(event_type, message_id, occurred_at, text(mail, "url")),
    )


def _reply(mail: JsonObject) -> Reply:
    answer = mapping(mail, "response")
    words = text(answer, "content", MAX_DIAGNOSTIC) or text(mail, "response", MAX_DIAGNOSTIC)
    if not words and not answer:
        return NO_REPLY
    return read_reply(words, code=answer.get("status_code"), enhanced=answer.get("enhanced_status_code"))


def _kind(event_type: str, reply: Reply) -> EventKind:
    if event_type == "message.soft_bounced" and reply.smtp_code in _TEMPORARY:
        return EventKind.DEFERRED
    if event_type == "message.failed" and reply.smtp_code is not None:
        return EventKind.BOUNCED
    return _KINDS.get(event_type, EventKind.OTHER)


def _class(mail: JsonObject) -> str | None:
    """A policy's score and the symbols behind it; of an open or click, whether Lettermint takes it for a machine's."""
    symbols = jsontext.texts(mail, "spam_symbols")
    if symbols:
        return ", ".join(symbols)[: jsontext.MAX_TEXT]
    return "bot" if flag(mapping(mail, "bot"), "detected") else None


ADAPTER = Adapter(
    name="lettermint",
    title="Lettermint",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=timestamped_hex_signer(_SIGNATURE),
    schemes=("signature", *STATIC_SCHEMES),
    replay_window_hours=SHORT_WINDOW.total_seconds() / 3_600,
    guide=(
        "Project > Webhooks: enter the address and tick all message events; leave machine events out unless opens by scanners are wanted. "
        "The secret is the webhook's signing secret. It can be made anew by the API: list both while it changes."
    ),
)
