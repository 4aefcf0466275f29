"""What is a delivery, what is an event, and what does the classifier add to it?

A delivery is one webhook POST, raw. It holds any number of events, each about one recipient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.model.values import passing
from service.model.words import (
    Doubt,
    EventKind,
    Label,
    Persistence,
    Phase,
    ReportedType,
    SmtpStage,
)


@passing(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook POST as it came in: what waits in the inbox.

    `headers` has lower-case names and never holds credentials; `query` never holds the secret token.
    """

    id: str  # 32 hex digits, given by the web before it is appended; sorts by time
    source: str  # name of the configured endpoint
    esp: str = ""  # the adapter that reads it
    received_at: datetime
    body: bytes  # the exact bytes, inflated where the ESP compressed them
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


@passing(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one mail for one recipient, in the schema all ESPs share.

    Normalised: kind, recipient (lower case, domain as IDNA A-labels), occurred_at (aware UTC), reported_type, phase,
    smtp_code, enhanced_status_code, smtp_stage. As received: all else. Absent is None.
    """

    kind: EventKind
    esp: str
    recipient: str | None = None
    occurred_at: datetime | None = None  # None: the ESP gives no time, so receipt has to serve
    message_id: str | None = None  # without angle brackets
    esp_event_id: str | None = None
    esp_event_type: str | None = None  # the ESP's own name for the kind
    reported_type: ReportedType | None = None
    esp_class: str | None = None
    esp_subclass: str | None = None
    smtp_code: int | None = None  # 200-599, its own field or read from the diagnostic
    enhanced_status_code: str | None = None  # `class.subject.detail`, RFC 3463
    diagnostic: str | None = None  # the server's answer, verbatim, at most 4,096 characters
    smtp_stage: SmtpStage | None = None
    remote_host: str | None = None
    remote_ip: str | None = None
    sending_ip: str | None = None
    campaign: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    subject: str | None = None
    suppressed_by_esp: bool | None = None  # the ESP will refuse this address from now on
    phase: Phase = Phase.UNKNOWN
    # What makes this the same event when it comes again, beside source, kind and recipient: the ESP's id where that is
    # stable over retries, the content where it is not. Never printed.
    identity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the server's answer says, by which rule, and how far it can be believed."""

    label: Label
    group: str  # coarse group of the label
    persistence: Persistence
    doubt: Doubt
    rule: str  # id of the rule that won; "" where none did
    evidence: str | None = None  # the matched words
    vendor: str | None = None  # the gateway or provider that speaks
    doubt_reason: str | None = None
    blocklist: str | None = None
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A part of a delivery that could not be read, kept with its reason."""

    error: str
    fragment: str = ""  # at most 500 characters of what could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmSubscription:
    """An act an adapter asks for: fetch this address (already checked) to confirm an SNS subscription."""

    url: str


@passing(frozen=True, slots=True, kw_only=True)
class OneTimeProof:
    """A signed token that vouches for one event only: seen again with another event, it was forged (Mailgun)."""

    token: str
    subject: str  # the event it vouches for


@passing(frozen=True, slots=True, kw_only=True)
class Parsed:
    """All that an adapter reads from one delivery."""

    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()
    unknown_kinds: tuple[str, ...] = ()  # ESP event types that are not in its table; their events have kind `other`
    acts: tuple[ConfirmSubscription, ...] = ()
    proof: OneTimeProof | None = None
