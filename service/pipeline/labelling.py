"""What does an event mean once its answer was read? Label, gateway, filing time, and whether it counts as a hard bounce."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from service.alerting.counting import ATTEMPT_KINDS, Attempt, attempt
from service.classify.domains import DomainBook
from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.reply import Reply
from service.model.events import Classification, Event
from service.model.moments import FILED_AHEAD_US, to_us
from service.model.values import passing
from service.model.words import EventKind, Persistence, ReportedType
from service.pipeline.fitting import fitted

ANSWERED = frozenset({EventKind.BOUNCED, EventKind.DEFERRED, EventKind.REJECTED})
_SAYS_NOTHING = frozenset({None, ReportedType.UNDETERMINED})
_BOUNCED = EventKind.BOUNCED  # looked up once: an enum's member costs more than the comparison
_HOSTS_KEPT = 8_192
_NO_KEY = blake2b(digest_size=16)  # copied for each key, which costs half of making one


@dataclass(frozen=True, slots=True)
class Labels:
    """What reads answers and hosts."""

    classifier: Classifier
    gateways: GatewayTable
    domains: DomainBook


@passing(frozen=True, slots=True)
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
    attempt: Attempt | None  # as the fold of its recipient sees it; None where it is none


@passing(frozen=True, slots=True)
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
        classification,
        by_host or _gateway_by_words(classification, labels),
        bool(by_host),
        _counts_as_hard(event, classification),
    )


def label(event: Event, *, source: str, received_us: int, labels: Labels) -> LabelledEvent:
    """Classify one event and decide how it is filed."""
    event = fitted(event)
    answer = read_answer(event, labels)
    occurred_us, reported_us = _filed(event, received_us)
    key = event_key(event, source)
    domain = event.recipient.rpartition("@")[2] if event.recipient else ""
    is_attempt = bool(domain) and event.kind in ATTEMPT_KINDS
    return LabelledEvent(
        event,
        key,
        occurred_us,
        reported_us,
        answer.classification,
        answer.gateway,
        answer.is_gateway_by_host,
        answer.counts_as_hard,
        domain,
        attempt_of(event, key, occurred_us, is_hard=answer.counts_as_hard) if is_attempt else None,
    )


def _filed(event: Event, received_us: int) -> tuple[int, int | None]:
    """The moment it is filed at, and the ESP's own where that cannot be believed."""
    if event.occurred_at is None:
        return received_us, None
    occurred_us = to_us(event.occurred_at)
    return (received_us, occurred_us) if occurred_us > received_us + FILED_AHEAD_US else (occurred_us, None)


def attempt_of(event: Event, key: bytes, occurred_us: int, *, is_hard: bool) -> Attempt:
    """The attempt that a delivered or bounced event is."""
    return attempt(kind=event.kind, occurred_us=occurred_us, key=key, is_hard=is_hard, phase=event.phase, message_id=event.message_id)


def event_key(event: Event, source: str) -> bytes:
    """Sixteen bytes that are equal for every copy of one event: source, kind, recipient and what the adapter calls its identity."""
    parts = (source, event.kind, event.recipient or "", *(event.identity or _content(event)))
    key = _NO_KEY.copy()
    key.update("\x1f".join(parts).encode("utf-8", "surrogatepass"))
    return key.digest()


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
    return _security_gateway(remote_host, labels.gateways) if remote_host else ""


@lru_cache(maxsize=_HOSTS_KEPT)  # the mail of a day meets the same few thousand servers again and again
def _security_gateway(host: str, gateways: GatewayTable) -> str:
    gateway = gateways.find(host)
    return gateway.vendor if gateway is not None and gateway.is_security_gateway else ""


def _gateway_by_words(classification: Classification | None, labels: Labels) -> str:
    vendor = classification.vendor if classification else None
    return vendor if vendor and vendor in labels.gateways.security_vendors else ""


def _counts_as_hard(event: Event, classification: Classification | None) -> bool:
    """What the ESP reported; only where it says nothing, what the answer says."""
    if event.kind is not _BOUNCED:
        return False
    if event.reported_type in _SAYS_NOTHING:
        return classification is not None and classification.persistence is Persistence.PERMANENT
    return event.reported_type is ReportedType.HARD
