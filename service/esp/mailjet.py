"""Mailjet: one event or an array of them per delivery, no signature.

Oddities: `sent` means that the recipient's server took the mail; events have no id; `MessageID` does not fit a double and is 0 in
samples; `bounce` covers greylisting, and `blocked` covers faults of our own templates. Facts: Mailjet's API documentation on the event
API and its error list.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, flag, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # Mailjet's event -> ours
    "sent": EventKind.DELIVERED,  # with the 250 of the recipient's server in smtp_reply
    "bounce": EventKind.BOUNCED,  # or what its error says
    "blocked": EventKind.REJECTED,  # never tried
    "spam": EventKind.COMPLAINED,
    "unsub": EventKind.UNSUBSCRIBED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}
_KINDS_BY_ERROR = {
    # error of a bounce or block -> ours
    "bad or empty template": EventKind.FAILED,
    "error in template language": EventKind.FAILED,
    "preblocked": EventKind.REJECTED,
    "duplicate in campaign": EventKind.REJECTED,
}
_REFUSALS = frozenset({"bounce", "blocked"})
_GREYLISTED = "greylisted"
_FLAGS = {
    # how a flag is written, in older posts not as a JSON boolean -> what it says
    **dict.fromkeys(("true", "1"), True),
    **dict.fromkeys(("false", "0"), False),
}
_ON_A_LIST = frozenset({"preblocked", "blacklisted", "spam reporter"})  # errors of an address that Mailjet will not try again
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})
_TEXTS = ("CustomID", "Payload")  # what the sender attached to the mail


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type, error = event_type_in(item, "event"), text(item, "error")
    fault = (error or "").lower()
    kind = _kind(event_type, fault)
    reply = read_reply(text(item, "comment", MAX_DIAGNOSTIC) or text(item, "smtp_reply", MAX_DIAGNOSTIC))
    message_id = _unless_zero(item, "MessageID") or text(item, "Message_GUID")
    yield Event(
        kind=kind,
        esp="mailjet",
        recipient=address_of(item.get("email")),
        occurred_at=moment_of(item.get("time")),
        message_id=message_id,
        esp_event_type=event_type,
        reported_type=_reported(item) if event_type == "bounce" else None,
        esp_class=text(item, "error_related_to") or text(item, "source"),
        esp_subclass=error,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=text(item, "customcampaign") or _unless_zero(item, "mj_campaign_id"),
        metadata=jsontext.text_map({name: item[name] for name in _TEXTS if item.get(name)}),
        suppressed_by_esp=_suppressed(item, event_type, fault),
        phase=Phase.LOCAL if kind in _LOCAL else Phase.UNKNOWN,
        identity=identity_of(event_type, message_id, text(item, "time"), error, text(item, "url")),
    )


def _kind(event_type: str, fault: str) -> EventKind:
    kind = _KINDS.get(event_type, EventKind.OTHER)
    if event_type not in _REFUSALS:
        return kind
    if event_type == "bounce" and fault == _GREYLISTED:
        return EventKind.DEFERRED
    return _KINDS_BY_ERROR.get(fault, kind)


def _reported(item: JsonObject) -> ReportedType:
    is_hard = _flag(item, "hard_bounce")
    if is_hard is None:
        return ReportedType.UNDETERMINED
    return ReportedType.HARD if is_hard else ReportedType.SOFT


def _suppressed(item: JsonObject, event_type: str, fault: str) -> bool | None:
    if event_type not in _REFUSALS:
        return None
    return True if fault in _ON_A_LIST else _flag(item, "blocked")


def _flag(item: JsonObject, key: str) -> bool | None:
    found = flag(item, key)
    return _FLAGS.get((text(item, key) or "").lower()) if found is None else found


def _unless_zero(item: JsonObject, key: str) -> str | None:
    found = text(item, key)
    return None if found == "0" else found


ADAPTER = Adapter(
    name="mailjet",
    title="Mailjet",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    answers=Answers(accepted=200, refused=401, unavailable=503),  # all but 200 is tried for 24 hours, then the address is switched off
    schemes=STATIC_SCHEMES,
    guide=(
        "Account > Event notifications (webhooks): enter the address with user and password in front of the host for sent, bounce, "
        "blocked, spam, unsub and, if wanted, open and click, and tick group events. After 24 hours of failures Mailjet switches the "
        "address off and it has to be entered again."
    ),
)
