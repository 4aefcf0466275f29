"""Postmark: one record per delivery, no signature, so a static secret has to stand in.

Oddities: `TypeCode` is wrong in Postmark's own samples, so `Type` alone decides; only bounces and complaints have an id; a
SubscriptionChange may belong to no message; hooks of the first generation leave `RecordType` out. Facts: Postmark's developer
documentation on webhooks and bounce types.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, flag, text
from service.esp_kit.reading import NotAnEventError, read_items
from service.esp_kit.replies import read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # RecordType -> ours
    "Delivery": EventKind.DELIVERED,
    "Bounce": EventKind.BOUNCED,  # what it really is stands in `Type`
    "SpamComplaint": EventKind.COMPLAINED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
    "SubscriptionChange": EventKind.UNSUBSCRIBED,  # or subscribed, by SuppressSending
    "SMTPApiError": EventKind.REJECTED,  # handed in by SMTP for a suppressed recipient
}
_BOUNCES = {
    # Type -> our kind, and what it claims
    "HardBounce": (EventKind.BOUNCED, ReportedType.HARD),
    "Transient": (EventKind.DEFERRED, ReportedType.SOFT),  # Postmark goes on trying
    "Unsubscribe": (EventKind.UNSUBSCRIBED, None),
    "Subscribe": (EventKind.SUBSCRIBED, None),
    "AutoResponder": (EventKind.AUTORESPONDED, None),
    "AddressChange": (EventKind.AUTORESPONDED, None),  # the person writes from elsewhere, so a mailbox answers
    "DnsError": (EventKind.DEFERRED, ReportedType.SOFT),
    "SpamNotification": (EventKind.BOUNCED, ReportedType.BLOCK),  # refused as spam by a server, not by a person
    "OpenRelayTest": (EventKind.DEFERRED, None),
    "Unknown": (EventKind.BOUNCED, ReportedType.UNDETERMINED),
    "SoftBounce": (EventKind.BOUNCED, ReportedType.SOFT),
    "VirusNotification": (EventKind.BOUNCED, ReportedType.BLOCK),
    "ChallengeVerification": (EventKind.AUTORESPONDED, None),
    "BadEmailAddress": (EventKind.REJECTED, None),
    "SpamComplaint": (EventKind.COMPLAINED, None),
    "ManuallyDeactivated": (EventKind.REJECTED, None),
    "Unconfirmed": (EventKind.REJECTED, None),
    "Blocked": (EventKind.BOUNCED, ReportedType.BLOCK),
    "SMTPApiError": (EventKind.FAILED, None),
    "InboundError": (EventKind.OTHER, None),
    "DMARCPolicy": (EventKind.BOUNCED, ReportedType.BLOCK),
    "TemplateRenderingFailed": (EventKind.FAILED, None),
}
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})
_MARKS = {
    # a field that no other record has -> the RecordType it stands for where that is left out
    "DeliveredAt": "Delivery",
    "OriginalLink": "Click",
    "FirstOpen": "Open",
    "SuppressSending": "SubscriptionChange",
    "BouncedAt": "Bounce",
}
_OF_INBOUND_MAIL = ("FromFull", "ToFull", "MailboxHash", "OriginalRecipient")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    kind: EventKind
    reported_type: ReportedType | None = None
    esp_class: str | None = None
    esp_subclass: str | None = None
    suppressed: bool | None = None


def _parse(delivery: Delivery) -> Parsed:
    record = jsontext.load_object(delivery.body)
    if "RecordType" not in record and any(key in record for key in _OF_INBOUND_MAIL):
        return Parsed()  # mail that came in: nothing happened to one of ours
    return read_items([record], _read, known={*_KINDS, *_BOUNCES}, name=_type_name)


def _type_name(event: Event) -> str | None:
    return event.esp_class if event.esp_event_type == "Bounce" else event.esp_event_type


def _read(record: JsonObject) -> Iterator[Event]:
    record_type = text(record, "RecordType") or next((_MARKS[mark] for mark in _MARKS if mark in record), None)
    if record_type is None:
        raise NotAnEventError("the record has no 'RecordType'")
    meaning = _meaning(record, record_type)
    recipient = address_of(record.get("Recipient")) or address_of(record.get("Email"))
    occurred_at = next((moment for key in _TIMES if (moment := moment_of(record.get(key)))), None)
    message_id, event_id = text(record, "MessageID"), text(record, "ID")
    reply = read_reply(text(record, "Details", 4_096))
    tag, metadata = text(record, "Tag"), jsontext.text_map(jsontext.mapping(record, "Metadata"))
    yield Event(
        kind=meaning.kind,
        esp="postmark",
        recipient=recipient,
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=record_type,
        reported_type=meaning.reported_type,
        esp_class=meaning.esp_class,
        esp_subclass=meaning.esp_subclass,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        tags=(tag,) if tag else None,
        metadata=metadata,
        campaign=campaign_in(metadata),
        subject=text(record, "Subject"),
        suppressed_by_esp=meaning.suppressed,
        phase=Phase.LOCAL if meaning.kind in _LOCAL else Phase.UNKNOWN,
        identity=_identity(record, event_id, record_type, occurred_at),
    )


def _meaning(record: JsonObject, record_type: str) -> _Meaning:
    if record_type == "SubscriptionChange":
        # a reason of HardBounce or SpamComplaint repeats what the bounce or complaint has told
        suppressed = flag(record, "SuppressSending")
        kind = EventKind.UNSUBSCRIBED if suppressed else EventKind.SUBSCRIBED
        reason, origin = text(record, "SuppressionReason"), text(record, "Origin")
        return _Meaning(kind=kind, esp_class=reason, esp_subclass=origin, suppressed=suppressed)
    bounce_type, inactive = text(record, "Type"), flag(record, "Inactive")
    if record_type == "Bounce":
        kind, reported = _BOUNCES.get(bounce_type or "Unknown", (EventKind.OTHER, None))
        return _Meaning(kind=kind, reported_type=reported, esp_class=bounce_type, suppressed=inactive)
    return _Meaning(kind=_KINDS.get(record_type, EventKind.OTHER), esp_class=bounce_type, suppressed=inactive)


def _identity(record: JsonObject, event_id: str | None, record_type: str, occurred_at: datetime | None) -> tuple[str, ...]:
    if event_id is not None:
        return identity_of("id", event_id)
    return identity_of(record_type, text(record, "MessageID"), occurred_at, text(record, "OriginalLink"), text(record, "Details", 4_096))


ADAPTER = Adapter(
    name="postmark",
    title="Postmark",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=False, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    answers=Answers(refused=401),  # after a 403 Postmark never tries again
    schemes=STATIC_SCHEMES,
    guide=(
        "Message stream > Webhooks > Add webhook: enter the address with user and password as basic auth, or add a custom header; tick "
        "Delivery, Bounce, Spam Complaint, Subscription Change and, if wanted, Open and Link Click. Each message stream needs its own."
    ),
)
