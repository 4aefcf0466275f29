"""How does the API word an alert?"""

from math import exp, log
from typing import Any, Protocol

from marshmallow import Schema, fields

from service.model.words import AlertState, DomainClass, Severity
from service.schemas.events import EVENT_EXAMPLE, EventSchema
from service.schemas.fields import (
    PageQuery,
    moment,
    next_cursor,
    query_choice,
    query_mark,
    query_moment,
    query_text,
    word,
)

_LN_E_SHOWN = 700.0  # e to this power is near the largest number that JSON's readers take


class AlertQuery(PageQuery):
    """What the list of alerts can be asked."""

    state = query_choice(AlertState, "Only alerts in this state.")
    severity = query_choice(Severity, "Only alerts of this severity.")
    domain = query_text("Only alerts of this recipient domain.")
    domain_class = query_choice(DomainClass, "Only alerts of recipient domains of this class.")
    gateway = query_text("Only alerts of recipient domains behind this gateway.")
    source = query_text("Only alerts to which this source reported hard bounces.")
    opened_after = query_moment("Only alerts opened at this moment or later.")
    opened_before = query_moment("Only alerts opened before this moment.")
    updated_since = query_mark(
        "Only alerts changed at this moment or later, oldest change first; or only those changed after this `updated_seq`, "
        "which neither misses nor repeats a change."
    )


class AlertSchema(Schema):
    """A spike of hard bounces at one recipient domain."""

    id = fields.String(required=True)
    state = word(AlertState)
    severity = word(Severity)
    domain = fields.String(required=True, metadata={"description": "Recipient domain, as IDNA A-labels."})
    domain_class = word(DomainClass)
    gateway = fields.String(allow_none=True, metadata={"description": "Security gateway in front of it; null where none is known."})
    cause = fields.String(allow_none=True, metadata={"description": "Null until it is judged."})
    incident = fields.String(allow_none=True, metadata={"description": "Null until it is judged."})
    attempts = fields.Integer(metadata={"description": "Delivered and bounced mails in the window: n."})
    reported_hard = fields.Integer(metadata={"description": "People whose mail the ESP reported as a fresh hard bounce: k."})
    believed_hard = fields.Integer(allow_none=True, metadata={"description": "Null until it is judged."})
    rate = fields.Float(allow_none=True, metadata={"description": "reported_hard / attempts; null where `rate_known` is false."})
    baseline = fields.Float(allow_none=True, metadata={"description": "Share that the class table expects for these attempts."})
    threshold = fields.Float(allow_none=True, metadata={"description": "Shrunk rate from which on this class fires: tau."})
    rate_known = fields.Boolean(metadata={"description": "False where the sources tell of no delivered mail."})
    window_hours = fields.Integer()
    window_end = moment("First moment after the window that fired.", attribute="window_end_us")
    opened_at = moment("When it was opened.", attribute="opened_us")
    last_true_at = moment("When the check was last true.", attribute="last_true_us")
    closed_at = moment("When it was closed; null while it fires.", attribute="closed_us")
    close_reason = fields.String(allow_none=True, metadata={"description": "recovered or expired."})
    reopen_count = fields.Integer()
    updated_at = moment("When anything in it last changed.", attribute="updated_us")
    updated_seq = fields.Integer(metadata={"description": "Grows with every change of any alert."})


class EvidenceSchema(Schema):
    """The figures that the decision was made on."""

    window_start = moment("First moment of the window.", attribute="window_start_us")
    window_end = moment("First moment after the window.", attribute="window_end_us")
    warm_attempts = fields.Integer(attribute="warm_n", metadata={"description": "To people delivered to in the last 60 days."})
    warm_reported_hard = fields.Integer(attribute="warm_k")
    cold_attempts = fields.Integer(attribute="cold_n", metadata={"description": "To everybody else."})
    cold_reported_hard = fields.Integer(attribute="cold_k")
    expected = fields.Float(metadata={"description": "Hard bounces that the class table expects."})
    shrunk_rate = fields.Float(metadata={"description": "The rate, drawn towards the class's usual rate where mails are few."})
    threshold = fields.Float(metadata={"description": "What the shrunk rate had to reach."})
    e = fields.Function(
        lambda row: _power_of_e(row["ln_e"]),
        allow_none=True,
        metadata={
            "description": "How many times likelier the burst is under a rate of its own; null beyond 1e304.",
            "type": "number",
        },
    )
    ln_e = fields.Float()
    e_min = fields.Function(lambda row: _power_of_e(row["ln_e_min"]), metadata={"description": "What e had to reach.", "type": "number"})
    ln_e_min = fields.Float()
    log10_e = fields.Function(lambda row: row["ln_e"] / log(10), metadata={"type": "number"})
    hold_seconds = fields.Function(
        lambda row: row["hold_us"] / 1_000_000, metadata={"description": "How long it waited for its denominator.", "type": "number"}
    )
    first_event_at = moment("First attempt in the window.", attribute="first_event_us")
    last_event_at = moment("Last attempt in the window.", attribute="last_event_us")


class TransitionSchema(Schema):
    """One change of an alert's state."""

    at = moment("When.", attribute="at_us")
    state = fields.String()
    reason = fields.String(metadata={"description": "opened, reopened, recovered or expired."})
    severity = fields.String()
    attempts = fields.Integer()
    reported_hard = fields.Integer()
    ln_e = fields.Float()


class WordingSchema(Schema):
    """One way in which the servers refused."""

    wording = fields.String(metadata={"description": "The answer without addresses, numbers and ids."})
    label = fields.String(allow_none=True, metadata={"description": "What it says, by the classifier."})
    vendor = fields.String(allow_none=True, metadata={"description": "Who speaks."})
    count = fields.Integer()


class NextStepSchema(Schema):
    """What to do about it."""

    step = fields.String(metadata={"enum": ["check_esp", "ask_recipient_it", "accept_turnover"]})
    text = fields.String()


class AlertDetailSchema(AlertSchema):
    """An alert with the evidence that it fired on."""

    evidence = fields.Nested(EvidenceSchema)
    diagnostics = fields.List(fields.Nested(WordingSchema), metadata={"description": "Most frequent wordings in the window."})
    sample_events = fields.List(fields.Nested(EventSchema), metadata={"description": "Addresses are masked for readers."})
    transitions = fields.List(fields.Nested(TransitionSchema))
    next_steps = fields.List(fields.Nested(NextStepSchema))


class AlertList(Schema):
    """A page of alerts."""

    items = fields.List(fields.Nested(AlertSchema), required=True)
    next_cursor = next_cursor()


class Fired(Protocol):
    """The figures of an alert that its shares are worked out from."""

    @property
    def rate_known(self) -> bool: ...
    @property
    def attempts(self) -> int: ...
    @property
    def reported_hard(self) -> int: ...
    @property
    def expected(self) -> float: ...
    @property
    def threshold(self) -> float: ...


def shares(alert: Fired) -> dict[str, float | None]:
    """Rate, baseline and threshold: none of them is printed where there is no denominator."""
    if not alert.rate_known or not alert.attempts:
        return {"rate": None, "baseline": None, "threshold": None}
    return {
        "rate": alert.reported_hard / alert.attempts,
        "baseline": alert.expected / alert.attempts,
        "threshold": alert.threshold,
    }


def _power_of_e(exponent: float) -> float | None:
    return float(f"{exp(exponent):.12g}") if exponent < _LN_E_SHOWN else None  # 100, and not 100.00000000000004


ALERT_EXAMPLE: dict[str, Any] = {
    "id": "019b8d5c7a107c3e8f21a4b6c8d0e2f4",
    "state": "firing",
    "severity": "critical",
    "domain": "acme-steel.example",
    "domain_class": "business_gateway",
    "gateway": "proofpoint",
    "cause": None,
    "incident": None,
    "attempts": 21,
    "reported_hard": 15,
    "believed_hard": None,
    "rate": 0.7142857142857143,
    "baseline": 0.02,
    "threshold": 0.1,
    "rate_known": True,
    "window_hours": 2,
    "window_end": "2026-01-05T09:00:00Z",
    "opened_at": "2026-01-05T08:05:12Z",
    "last_true_at": "2026-01-05T08:21:40Z",
    "closed_at": None,
    "close_reason": None,
    "reopen_count": 0,
    "updated_at": "2026-01-05T08:21:40Z",
    "updated_seq": 118,
}
ALERT_LIST_EXAMPLE: dict[str, Any] = {"items": [ALERT_EXAMPLE], "next_cursor": None}
ALERT_DETAIL_EXAMPLE: dict[str, Any] = {
    **ALERT_EXAMPLE,
    "evidence": {
        "window_start": "2026-01-05T07:00:00Z",
        "window_end": "2026-01-05T09:00:00Z",
        "warm_attempts": 21,
        "warm_reported_hard": 15,
        "cold_attempts": 0,
        "cold_reported_hard": 0,
        "expected": 0.42,
        "shrunk_rate": 0.3765,
        "threshold": 0.1,
        "e": 3.7e18,
        "ln_e": 42.75,
        "e_min": 100.0,
        "ln_e_min": 4.605,
        "log10_e": 18.57,
        "hold_seconds": 180.0,
        "first_event_at": "2026-01-05T08:02:11Z",
        "last_event_at": "2026-01-05T08:18:03Z",
    },
    "diagnostics": [{"wording": "550 5.1.1 user unknown <address>", "label": "invalid_recipient", "vendor": "proofpoint", "count": 15}],
    "sample_events": [EVENT_EXAMPLE],
    "transitions": [
        {
            "at": "2026-01-05T08:05:12Z",
            "state": "firing",
            "reason": "opened",
            "severity": "warning",
            "attempts": 9,
            "reported_hard": 6,
            "ln_e": 14.2,
        }
    ],
    "next_steps": [{"step": "check_esp", "text": "Ask the ESP whether its sending addresses are blocked at proofpoint."}],
}
