"""Brevo (Sendinblue): one event per delivery, or an array where batches are on; no signature.

Oddities: any 4xx but 429, and any 5xx, throws the event away; `id` is the webhook's and not the event's; names of payloads and of
the documentation differ; a deferral may carry the text of a final refusal; `date` is in a zone that nobody tells. Facts: Brevo's
developer pages on transactional webhooks.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # Brevo's event -> ours
    "request": EventKind.QUEUED,  # also before a mail that is blocked
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "soft_bounce": EventKind.BOUNCED,
    "hard_bounce": EventKind.BOUNCED,
    "invalid_email": EventKind.REJECTED,  # its form alone was looked at
    "blocked": EventKind.REJECTED,
    "error": EventKind.FAILED,
    "spam": EventKind.COMPLAINED,
    "complaint": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "opened": EventKind.OPENED,
    "unique_opened": EventKind.OPENED,
    "proxy_open": EventKind.OPENED,  # by a machine
    "unique_proxy_open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "list_addition": EventKind.OTHER,
}
_REPORTED = {"hard_bounce": ReportedType.HARD, "soft_bounce": ReportedType.SOFT}
_OF_CONTACTS = "contact_"
_TIMES = ("ts_epoch", "ts_event", "ts")  # `date` not: an hour of the wrong zone is worse than the time of receipt
_CUSTOM = "X-Mailin-custom"
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS, name=_type_name)


def _type_name(event: Event) -> str | None:
    event_type = event.esp_event_type
    return None if event_type and event_type.startswith(_OF_CONTACTS) else event_type


def _read(item: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(item, "event")
    kind = _KINDS.get(event_type, EventKind.OTHER)
    reply = read_reply(text(item, "reason", MAX_DIAGNOSTIC))
    message_id = bare_message_id(text(item, "message-id"))
    metadata = _metadata(item)
    yield Event(
        kind=kind,
        esp="brevo",
        recipient=address_of(item.get("email")),
        occurred_at=next((moment for key in _TIMES if (moment := moment_of(item.get(key)))), None),
        message_id=message_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        sending_ip=text(item, "sending_ip"),
        campaign=text(item, "campaign name") or text(item, "camp_id") or campaign_in(metadata),
        tags=_tags(item),
        metadata=metadata,
        subject=text(item, "subject"),
        suppressed_by_esp=True if event_type == "blocked" else None,
        phase=Phase.LOCAL if kind in _LOCAL else Phase.UNKNOWN,
        identity=identity_of(
            event_type,
            message_id,  # marketing mails have none
            text(item, "camp_id"),
            text(item, "ts_event") or text(item, "ts_epoch") or text(item, "ts") or text(item, "date"),
            text(item, "link"),
        ),
    )


def _tags(item: JsonObject) -> tuple[str, ...] | None:
    """`tags`, or `tag`, which may be one tag or the JSON of a list of them."""
    listed = jsontext.texts(item, "tags")
    if listed:
        return listed
    tag = text(item, "tag", MAX_DIAGNOSTIC)
    if not tag or not tag.startswith("["):
        return jsontext.texts(item, "tag")
    try:
        return jsontext.texts({"tag": jsontext.load_items(tag.encode())}, "tag")
    except UnreadableError:
        return jsontext.texts(item, "tag")


def _metadata(item: JsonObject) -> dict[str, str] | None:
    """What the sender put into his header: JSON, as text or already read, or any text."""
    custom = text(item, _CUSTOM, MAX_DIAGNOSTIC)
    if not custom:
        return jsontext.text_map(mapping(item, _CUSTOM))
    if custom.startswith("{"):
        try:
            return jsontext.text_map(jsontext.load_object(custom.encode()))
        except UnreadableError:
            pass
    return jsontext.text_map({_CUSTOM: custom})


ADAPTER = Adapter(
    name="brevo",
    title="Brevo",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=True, engagement=True
    ),
    signer=BASIC,
    # After 429 alone Brevo comes back, four times within 11 hours: enough to mend a wrong secret, too.
    answers=Answers(accepted=200, refused=429, unavailable=429),
    schemes=STATIC_SCHEMES,
    guide=(
        "Transactional > Settings > Webhooks > Add: enter the address with user and password in front of the host, or choose basic auth or "
        "a token there; tick all events, opens and clicks if wanted. Marketing mails need a webhook of their own."
    ),
)
