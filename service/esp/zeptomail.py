"""ZeptoMail (Zoho): nested lists of mails, events and details; a static secret has to stand in.

Oddities: the event's name stands in a list beside the mails and again in each event; the text that `producer-signature` signs is
documented nowhere that we know, so it is not believed; opens name no reader where a mail had several recipients. The names of
deliveries, feedback loops, opens and clicks are not confirmed. Facts: Zoho's ZeptoMail documentation on webhooks.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, objects, text
from service.esp_kit.reading import NotAnEventError, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, ReportedType

_KINDS = {
    # event_name or object -> ours
    "softbounce": EventKind.BOUNCED,
    "hardbounce": EventKind.BOUNCED,
    "email_open": EventKind.OPENED,
    "email_link_click": EventKind.CLICKED,
    "feedback_loop": EventKind.COMPLAINED,
    "delivered": EventKind.DELIVERED,
}
_REPORTED = {"softbounce": ReportedType.SOFT, "hardbounce": ReportedType.HARD}


def _parse(delivery: Delivery) -> Parsed:
    payload = jsontext.load_object(delivery.body)
    mails = jsontext.items(payload, "event_message")
    if not mails:
        raise UnreadableError("the body holds no event_message")
    names = jsontext.texts(payload, "event_name") or ()
    return read_items(mails, lambda mail: _read(mail, names), known=_KINDS)


def _read(mail: JsonObject, names: tuple[str, ...]) -> Iterator[Event]:
    found = objects(mail, "event_data") or [EMPTY]
    for happened in found:
        event_type = text(happened, "object") or (names[0] if len(names) == 1 else None)
        if event_type is None:
            raise NotAnEventError("the event has no 'object', and 'event_name' tells no single name")
        for detail in objects(happened, "details") or [EMPTY]:
            yield _event(event_type, detail, mail)


def _event(event_type: str, detail: JsonObject, mail: JsonObject) -> Event:
    about, kind = mapping(mail, "email_info"), _KINDS.get(event_type, EventKind.OTHER)
    reply = read_reply(text(detail, "diagnostic_message", MAX_DIAGNOSTIC))
    reference, own_reference = text(about, "email_reference"), text(about, "client_reference")
    occurred_at = moment_of(detail.get("time")) or moment_of(about.get("processed_time"))
    return Event(
        kind=kind,
        esp="zeptomail",
        recipient=address_of(detail.get("bounced_recipient")) or _only_recipient(about),
        occurred_at=occurred_at,
        message_id=reference or text(mail, "request_id"),
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=text(detail, "reason"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        tags=jsontext.texts(about, "tag"),
        metadata={"client_reference": own_reference} if own_reference else None,
        subject=text(about, "subject"),
        identity=identity_of(event_type, reference, text(mail, "request_id"), occurred_at, jsontext.written_out(dict(detail))),
    )


def _only_recipient(about: JsonObject) -> str | None:
    """Whom the mail went to, where that was one."""
    listed = [entry for key in ("to", "cc", "bcc") for entry in objects(about, key)]
    return address_of((mapping(listed[0], "email_address") or listed[0]).get("address")) if len(listed) == 1 else None


ADAPTER = Adapter(
    name="zeptomail",
    title="ZeptoMail",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=False, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    guide=(
        "Mail agent > Webhooks: enter the address with `?token=` and a secret behind it, tick soft bounce, hard bounce, feedback loop "
        "and, if wanted, opens and clicks; each mail agent has its own. Deliveries are not told as far as documented, so rates need "
        "another source."
    ),
)
