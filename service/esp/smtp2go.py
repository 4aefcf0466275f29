"""SMTP2GO: one event per delivery as JSON or form, no signature, so a static secret has to stand in.

Oddities: no event tells of a deferral, a mail just stays processed; hard or soft stands in `bounce`, or behind the event's name; chosen
headers of the mail lie among the fields. Facts: SMTP2GO's support pages on webhooks.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of, addresses_in
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.flat import read_flat
from service.esp_kit.hosts import server_in
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, Reply, read_reply, stage_of
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # SMTP2GO's event -> ours
    "processed": EventKind.QUEUED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "reject": EventKind.REJECTED,  # bounced, complained or unsubscribed before
    "spam": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "resubscribe": EventKind.SUBSCRIBED,
}
_REPORTED = {"hard": ReportedType.HARD, "soft": ReportedType.SOFT}

# SMTP2GO's own fields; whatever else there is are the headers that the webhook was told to add
_OWN_FIELDS = (
    "event bounce time sendtime sender from from_address from_name rcpt recipients auth host hostname srchost message context email_id "
    "id subject url user-agent client client-os client-device read-secs token webhook_id"
)
_CAMPAIGN_HEADER = "X-Campaign"
_OWN = frozenset(_OWN_FIELDS.split())


def _parse(delivery: Delivery) -> Parsed:
    return read_items([read_flat(delivery.body, delivery.content_type)], _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    written = event_type_in(item, "event")
    event_type, _, told = written.partition(":") if written[0] != ":" else (written, "", "")
    kind = _KINDS.get(event_type.strip().lower(), EventKind.OTHER)
    bounce_type = text(item, "bounce") or told.strip() or None
    reply = _reply(item)
    server, occurred_at, message_id = server_in(item.get("host")), moment_of(item.get("time")), text(item, "email_id")
    metadata = jsontext.text_map(item, without=_OWN)
    for recipient in _recipients(item):
        yield Event(
            kind=kind,
            esp="smtp2go",
            recipient=recipient,
            occurred_at=occurred_at,
            message_id=message_id,
            esp_event_type=event_type,
            reported_type=_REPORTED.get((bounce_type or "").lower(), ReportedType.UNDETERMINED) if kind is EventKind.BOUNCED else None,
            esp_class=bounce_type,
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            remote_host=server.host,
            remote_ip=server.ip,
            campaign=campaign_in(metadata) or text(item, _CAMPAIGN_HEADER),
            metadata=metadata,
            subject=text(item, "subject"),
            suppressed_by_esp=True if kind is EventKind.REJECTED else None,
            phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
            identity=identity_of(event_type, message_id, occurred_at, bounce_type, reply.diagnostic, text(item, "url")),
        )


def _reply(item: JsonObject) -> Reply:
    """The answer, which stands in the context where there is no message; else that names the command."""
    context = text(item, "context", MAX_DIAGNOSTIC)
    stage = stage_of(context)
    return read_reply(text(item, "message", MAX_DIAGNOSTIC) or (None if stage else context), stage=context)


def _recipients(item: JsonObject) -> tuple[str | None, ...]:
    """Whom the event names, or all of a mail that was taken."""
    named = address_of(item.get("rcpt"))
    if named:
        return (named,)
    listed = [address for written in jsontext.texts(item, "recipients") or () for address in addresses_in(written)]
    return tuple(dict.fromkeys(listed)) or (None,)


ADAPTER = Adapter(
    name="smtp2go",
    title="SMTP2GO",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=False, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    guide=(
        "Settings > Webhooks: enter the address, JSON as output, tick processed, delivered, bounce, reject, spam, unsubscribe, "
        "resubscribe and, if wanted, open and click, and set an Authorization header (basic or bearer). Headers that you add there come "
        "as metadata."
    ),
)
