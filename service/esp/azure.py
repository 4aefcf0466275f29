"""Azure Communication Services: e-mail reports through Event Grid, in its own schema or as CloudEvents; no signature.

Oddities: the subscription is proven by a code to be echoed, with CloudEvents by an OPTIONS request; 400, 401, 403 and 413 throw events
away; one spelling of the time's name is older; the enclosing `subject` is not the mail's. Facts: Microsoft's pages on e-mail events
and on Event Grid's delivery.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities, Handshake, Refused, SourceTrust, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked, verify_static
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_DELIVERY_REPORT = "Microsoft.Communication.EmailDeliveryReportReceived"
_ENGAGEMENT_REPORT = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_DELETION = "Microsoft.EventGrid.SubscriptionDeletedEvent"
_WHAT_HAPPENED = {_DELIVERY_REPORT: "status", _ENGAGEMENT_REPORT: "engagementType"}  # in the report's data

_KINDS = {
    # the status of a delivery report, the type of an engagement -> ours
    "Delivered": EventKind.DELIVERED,
    "Expanded": EventKind.DELIVERED,  # to a distribution list
    "Bounced": EventKind.BOUNCED,
    "Failed": EventKind.BOUNCED,
    "Suppressed": EventKind.REJECTED,
    "FilteredSpam": EventKind.BOUNCED,  # refused as spam
    "Quarantined": EventKind.BOUNCED,  # taken, and held as spam, bulk or phishing
    "view": EventKind.OPENED,
    "click": EventKind.CLICKED,
    _DELETION: EventKind.OTHER,  # from now on nothing will come
}
_BY_LOWER = {word.lower(): word for word in _KINDS}  # engagements are written as `view` and as `View`
_REPORTED = {
    # status -> ours
    "Bounced": ReportedType.HARD,
    "Failed": ReportedType.UNDETERMINED,
    "FilteredSpam": ReportedType.BLOCK,
    "Quarantined": ReportedType.BLOCK,
}
_ATTEMPTED_AT = ("deliveryAttemptTimestamp", "deliveryAttemptTimeStamp")
_READ_AT = ("userActionTimestamp", "userActionTimeStamp")
_ORIGIN = "webhook-request-origin"
_RATE = "webhook-request-rate"
_LONGEST_HEADER = 500


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS, name=_name)


def _name(event: Event) -> str | None:
    """The status, for the type is the same for all that can happen to a mail."""
    written = event.esp_class or event.esp_event_type or ""
    return _BY_LOWER.get(written.lower(), written)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(item, "eventType" if "eventType" in item else "type")
    if event_type == _VALIDATION:
        return
    report = mapping(item, "data")
    status = _status(event_type, report)
    details = mapping(report, "deliveryStatusDetails")
    reply = read_reply(text(details, "statusMessage", MAX_DIAGNOSTIC))
    word = _BY_LOWER.get((status or event_type).lower(), "")
    kind = _KINDS.get(word, EventKind.OTHER)
    event_id = text(item, "id")
    message_id = text(report, "messageId") or bare_message_id(text(report, "internetMessageId"))
    occurred_at = _occurred_at(item, report)
    yield Event(
        kind=kind,
        esp="azure",
        recipient=address_of(report.get("recipient")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(word),
        esp_class=status,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=text(details, "recipientMailServerHostName"),
        suppressed_by_esp=True if kind is EventKind.REJECTED else None,
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=identity_of("id", event_id)
        if event_id
        else identity_of(event_type, status, message_id, occurred_at, text(report, "engagementContext")),
    )


def _status(event_type: str, report: JsonObject) -> str | None:
    key = _WHAT_HAPPENED.get(event_type)
    return event_type_in(report, key) if key else None


def _occurred_at(item: JsonObject, report: JsonObject) -> datetime | None:
    told = [report.get(key) for key in (*_ATTEMPTED_AT, *_READ_AT)]
    return next((moment for value in (*told, item.get("eventTime"), item.get("time")) if (moment := moment_of(value))), None)


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    """The proof that we want these events; the web has verified a POST before, an OPTIONS request has to prove itself here."""
    if request.method == "POST":
        return _echo_code(request.body)
    origin = request.headers.get(_ORIGIN, "")
    if request.method != "OPTIONS" or not _is_plain(origin) or isinstance(verify_static(request, trust), Refused):
        return None
    rate = request.headers.get(_RATE, "")
    allowed = {"WebHook-Allowed-Origin": origin, "Allow": "POST, OPTIONS"}
    return Handshake(headers={**allowed, "WebHook-Allowed-Rate": rate} if rate.isascii() and rate.isdecimal() else allowed)


def _echo_code(body: bytes) -> Handshake | None:
    """The address in `validationUrl` is never fetched: the answer is enough."""
    if _VALIDATION.encode() not in body:  # spares all others the reading
        return None
    try:
        items = jsontext.load_items(body)
    except UnreadableError:
        return None
    event = items[0] if len(items) == 1 else None
    if not isinstance(event, dict) or text(event, "eventType") != _VALIDATION:
        return None
    code = text(mapping(event, "data"), "validationCode")
    return Handshake(body=json.dumps({"validationResponse": code}), content_type="application/json") if code else None


def _is_plain(value: str) -> bool:
    """Fit to go into a header of ours."""
    return 0 < len(value) <= _LONGEST_HEADER and value.isascii() and value.isprintable()


ADAPTER = Adapter(
    name="azure",
    title="Azure Communication Services",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    # 200 answers the validation, 204 would be the highest; after 400, 401, 403 and 413 Event Grid drops the events, all else is tried for
    # 24 hours, so a wrong secret can still be mended.
    answers=Answers(accepted=200, refused=429, unavailable=503),
    schemes=STATIC_SCHEMES,
    methods=("POST", "OPTIONS"),
    handshake=_shake,
    guide=(
        "Communication Services > Events > Event Subscription: endpoint type Web Hook, both e-mail report events, either schema, the "
        "address with the secret as its parameter `token`, or as a delivery property (a header). The subscription is proven by itself "
        "where the source is configured before."
    ),
)
