"""How does the API word what is known of one recipient domain?"""

from typing import Any

from marshmallow import Schema, fields

from service.model.words import DomainClass
from service.schemas.alerts import ALERT_EXAMPLE, AlertSchema
from service.schemas.fields import HourField, moment, query_moment, word


class HourSchema(Schema):
    """One UTC hour of event time, over the sources that tell of delivered mail."""

    hour = HourField(required=True, metadata={"description": "Where the hour begins.", "format": "date-time"})
    attempts = fields.Integer(metadata={"description": "Delivered and bounced mails: n."})
    reported_hard = fields.Integer(metadata={"description": "People with a fresh reported hard bounce: k."})
    rate = fields.Float(allow_none=True, metadata={"description": "reported_hard / attempts; null without attempts."})
    warm_attempts = fields.Integer(attribute="warm_n")
    warm_reported_hard = fields.Integer(attribute="warm_k")
    cold_attempts = fields.Integer(attribute="cold_n")
    cold_reported_hard = fields.Integer(attribute="cold_k")
    repeat_hard = fields.Integer(attribute="repeat_k", metadata={"description": "Of people already counted as bounced: in no rate."})
    soft = fields.Integer(attribute="soft_k", metadata={"description": "Final refusals that are not hard; part of attempts."})
    uncounted_hard = fields.Integer(metadata={"description": "Reported by sources that tell of no delivered mail: in no rate."})


class ThresholdsSchema(Schema):
    """The thresholds in force for this domain's class."""

    windows_hours = fields.List(fields.Integer())
    mu_warm = fields.Float(metadata={"description": "Expected share among people delivered to lately."})
    mu_cold = fields.Float(metadata={"description": "Expected share among everybody else."})
    p0 = fields.Float(metadata={"description": "Rate that small samples are drawn to."})
    n0 = fields.Float(metadata={"description": "How strongly, in mails."})
    tau = fields.Float(metadata={"description": "Shrunk rate that has to be reached."})
    k_min = fields.Integer(metadata={"description": "People who have to bounce."})
    e_min = fields.Float(metadata={"description": "E-value that has to be reached; it grows with traffic."})


class CheckSchema(Schema):
    """A check that waits for its denominator."""

    first_at = moment("First hard bounce that asked for it.", attribute="first_us")
    due_at = moment("When the domain is judged.", attribute="due_us")
    hold_seconds = fields.Function(lambda check: check.widest_us / 1_000_000, metadata={"type": "number"})


class RecoverySchema(Schema):
    """How far the domain takes mail again."""

    last_hard_at = moment("Last hard bounce.", attribute="last_hard_us")
    delivered_since_hard = fields.Integer(metadata={"description": "Deliveries in a row since then."})
    deliveries_needed = fields.Integer(metadata={"description": "So many, and then quiet, close an alert."})
    quiet_seconds_needed = fields.Integer()
    last_attempt_at = moment("Last mail to it, delivered or bounced.", attribute="last_attempt_us")


class DomainSchema(Schema):
    """A recipient domain: class, gateway, hours, thresholds, and where its alert stands."""

    domain = fields.String(required=True)
    domain_class = word(DomainClass)
    gateway = fields.String(allow_none=True)
    from_ = moment("Where the hours begin.", attribute="from_us", data_key="from")
    to = moment("Where the hours end.", attribute="to_us")
    hourly = fields.List(fields.Nested(HourSchema), metadata={"description": "Every hour between from and to, oldest first."})
    thresholds = fields.Nested(ThresholdsSchema)
    open_check = fields.Nested(CheckSchema, allow_none=True)
    open_alert = fields.Nested(AlertSchema, allow_none=True)
    recovery = fields.Nested(RecoverySchema)


class DomainQuery(Schema):
    """Which hours of a domain."""

    from_ = query_moment("First hour shown; 48 hours before `to` by default.", data_key="from")
    to = query_moment("End of the last hour shown; now by default.")


DOMAIN_EXAMPLE: dict[str, Any] = {
    "domain": "acme-steel.example",
    "domain_class": "business_gateway",
    "gateway": "proofpoint",
    "from": "2026-01-05T08:00:00Z",
    "to": "2026-01-05T09:00:00Z",
    "hourly": [
        {
            "hour": "2026-01-05T08:00:00Z",
            "attempts": 21,
            "reported_hard": 15,
            "rate": 0.7142857142857143,
            "warm_attempts": 21,
            "warm_reported_hard": 15,
            "cold_attempts": 0,
            "cold_reported_hard": 0,
            "repeat_hard": 1,
            "soft": 0,
            "uncounted_hard": 0,
        }
    ],
    "thresholds": {
        "windows_hours": [2, 24],
        "mu_warm": 0.02,
        "mu_cold": 0.2,
        "p0": 0.022,
        "n0": 20.0,
        "tau": 0.1,
        "k_min": 4,
        "e_min": 100.0,
    },
    "open_check": {"first_at": "2026-01-05T08:18:03Z", "due_at": "2026-01-05T08:21:03Z", "hold_seconds": 180.0},
    "open_alert": ALERT_EXAMPLE,
    "recovery": {
        "last_hard_at": "2026-01-05T08:18:03Z",
        "delivered_since_hard": 0,
        "deliveries_needed": 5,
        "quiet_seconds_needed": 1800,
        "last_attempt_at": "2026-01-05T08:18:03Z",
    },
}
