"""ZoneMTA `core/http-bounce`: one final bounce per delivery as a form; no signature, so a static secret has to stand in.

Oddities: all that it tells is bounced, whatever the cause, and only the category says whose fault it may be; mail that is marked as made
by a machine is never reported. Facts: the plugin's code and its rule list.
"""

from collections.abc import Iterator

from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.flat import read_flat
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import MAX_TEXT, JsonObject, text
from service.esp_kit.reading import NotAnEventError, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, Reply, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, ReportedType

_REPORTED = {
    # category -> what it claims; config, other, protocol, envelope and http say nothing of the recipient
    "recipient": ReportedType.HARD,  # soft where the answer is not 5xx
    "capacity": ReportedType.SOFT,
    "dns": ReportedType.SOFT,
    "greylist": ReportedType.SOFT,
    "network": ReportedType.SOFT,
    "rate": ReportedType.SOFT,
    "auth": ReportedType.BLOCK,
    "blacklist": ReportedType.BLOCK,
    "block": ReportedType.BLOCK,
    "dmarc": ReportedType.BLOCK,
    "message": ReportedType.BLOCK,
    "policy": ReportedType.BLOCK,
    "sender": ReportedType.BLOCK,
    "spam": ReportedType.BLOCK,
    "virus": ReportedType.BLOCK,
}
_LOWEST_PERMANENT = 500


def _parse(delivery: Delivery) -> Parsed:
    return read_items([read_flat(delivery.body, delivery.content_type)], _read, known=())


def _read(item: JsonObject) -> Iterator[Event]:
    recipient = address_of(item.get("to"))
    if recipient is None:
        raise NotAnEventError("the bounce has no address in 'to'")
    reply, category = read_reply(text(item, "response", MAX_DIAGNOSTIC)), text(item, "category")
    message_id, sequence = text(item, "id"), text(item, "seq")
    event_id = ".".join(part for part in (message_id, sequence) if part)[:MAX_TEXT] or None
    occurred_at = moment_of(item.get("time"))
    yield Event(
        kind=EventKind.BOUNCED,
        esp="zonemta",
        recipient=recipient,
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type="bounce",
        reported_type=_reported(category, reply),
        esp_class=category,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=text(item, "fbl"),
        identity=identity_of("id", event_id) if message_id and sequence else identity_of(event_id, occurred_at, category, reply.diagnostic),
    )


def _reported(category: str | None, reply: Reply) -> ReportedType:
    reported = _REPORTED.get(category or "", ReportedType.UNDETERMINED)
    if reported is ReportedType.HARD and (reply.smtp_code or 0) < _LOWEST_PERMANENT:
        return ReportedType.SOFT
    return reported


ADAPTER = Adapter(
    name="zonemta",
    title="ZoneMTA",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=False, delivered_events=False, smtp_text=True, remote_host=False, sending_ip=False, engagement=False
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    guide=(
        "plugins/http-bounce: set `url` to the address with user and password in it, or with `?token=` and a secret behind it. It tells "
        "bounces only, so rates need deliveries from elsewhere; put your campaign into X-FBL. Mail with Auto-Submitted is never reported."
    ),
)
