"""What does an event mean once its answer was read? Label, gateway, filing time, and whether it counts as a hard bounce."""

from dataclasses import dataclass
from hashlib import blake2b

from service.classify.domains import DomainBook
from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.reply import Reply
from service.model.events import Classification, Event
from service.model.moments import EPOCH, MICROSECOND, SECOND_US
from service.model.words import EventKind, Persistence, ReportedType
from service.pipeline.fitting import fitted

_AHEAD_US = 600 * SECOND_US  # one wrong clock must not move a domain's windows
ANSWERED = frozenset({EventKind.BOUNCED, EventKind.DEFERRED, EventKind.REJECTED})
_SAYS_NOTHING = frozenset({None, ReportedType.UNDETERMINED})


@dataclass(frozen=True, slots=True)
class Labels:
    """What reads answers and hosts."""

    classifier: Classifier
    gateways: GatewayTable
    domains: DomainBook


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """An event with everything that is known of it before the database is asked."""

    event: Event
    key: bytes  # the same for every copy of the event
    occurred_us: int  # when it is filed
    reported_us: int | None  # the ESP's own time where that could not be believed
    classification: Classification | None
    gateway: str  # the security gateway that spoke, '' = none known
    is_gateway_by_host: bool  # named by the server's name, which is surer than the words of an answer
    counts_as_hard: bool
    domain: str


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What the server's answer to one mail means."""

    classification: Classification | None  # None where the kind of event holds no answer
    gateway: str
    is_gateway_by_host: bool
    counts_as_hard: bool


def read_answer(event: Event, labels: Labels) -> ReadAnswer:
    """Classify one event, by nothing but what is stored of it: so it can be done again with other rules."""
    classification = _classify(event, labels) if event.kind in ANSWERED else None
    by_host = gateway_by_host(event.remote_host, labels)
    return ReadAnswer(
        classification=classification,
        gateway=by_host or _gateway_by_words(classification, labels),
        is_gateway_by_host=bool(by_host),
        counts_as_hard=_counts_as_hard(event, classification),
    )


def label(event: Event, *, source: str, received_us: int, labels: Labels) -> LabelledEvent:
    """Classify one event and decide how it is filed."""
    event = fitted(event)
    answer = read_answer(event, labels)
    occurred_us = received_us if event.occurred_at is None else (event.occurred_at - EPOCH) // MICROSECOND
    reported_us = None
    if occurred_us > received_us + _AHEAD_US:
        occurred_us, reported_us = received_us, occurred_us
    return LabelledEvent(
        event=event,
        key=event_key(event, source),
        occurred_us=occurred_us,
        reported_us=reported_us,
        classification=answer.classification,
        gateway=answer.gateway,
        is_gateway_by_host=answer.is_gateway_by_host,
        counts_as_hard=answer.counts_as_hard,
        domain=event.recipient.rpartition("@")[2] if event.recipient else "",
    )


def event_key(event: Event, source: str) -> bytes:
    """Sixteen bytes that are equal for every copy of one event: source, kind, recipient and what the adapter calls its identity."""
    parts = (source, event.kind, event.recipient or "", *(event.identity or _content(event)))
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _content(event: Event) -> tuple[str, ...]:
    return (event.message_id or "", str(event.occurred_at), event.diagnostic or "")


def _classify(event: Event, labels: Labels) -> Classification:
    return labels.classifier.classify(
        Reply(
            text=event.diagnostic or "",
            smtp_code=event.smtp_code,
            enhanced_status_code=event.enhanced_status_code,
            stage=event.smtp_stage,
            remote_host=event.remote_host,
            esp_class=event.esp_class,
            esp_subclass=event.esp_subclass,
            reported_type=event.reported_type,
        )
    )


def gateway_by_host(remote_host: str | None, labels: Labels) -> str:
    """The security gateway that a server's name gives away; '' = none known."""
    gateway = labels.gateways.find(remote_host) if remote_host else None
    return gateway.vendor if gateway is not None and gateway.is_security_gateway else ""


def _gateway_by_words(classification: Classification | None, labels: Labels) -> str:
    vendor = classification.vendor if classification else None
    return vendor if vendor and vendor in labels.gateways.security_vendors else ""


def _counts_as_hard(event: Event, classification: Classification | None) -> bool:
    """What the ESP reported; only where it says nothing, what the answer says."""
    if event.kind is not EventKind.BOUNCED:
        return False
    if event.reported_type in _SAYS_NOTHING:
        return classification is not None and classification.persistence is Persistence.PERMANENT
    return event.reported_type is ReportedType.HARD
