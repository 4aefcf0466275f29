"""How does the API word how a source is doing?"""

from typing import Any

from marshmallow import Schema, fields

from service.alerting.sources import SourceState, SourceTrouble
from service.model.words import AlertState, Severity
from service.schemas.fields import HourField, moment, next_cursor, word

UNWATCHED = "unwatched"


class SourceAlertSchema(Schema):
    """A source that went silent, or whose posts are refused."""

    id = fields.String(required=True)
    alert = fields.String(required=True, attribute="trouble", metadata={"enum": [item.value for item in SourceTrouble]})
    state = word(AlertState)
    severity = word(Severity)
    opened_at = moment("When it was opened.", attribute="opened_us")
    last_true_at = moment("When it was last found to be so.", attribute="last_true_us")
    closed_at = moment("When it was closed; null while it fires.", attribute="closed_us")
    close_reason = fields.String(allow_none=True, metadata={"description": "recovered, expired or unwatched."})
    reopen_count = fields.Integer()
    last_post_at = HourField(
        attribute="last_hour", allow_none=True, metadata={"description": "UTC hour of the last accepted post then.", "format": "date-time"}
    )
    missed_hours = fields.Float(metadata={"description": "Hours with posts that were to be expected since then."})
    allowed_hours = fields.Float(allow_none=True, metadata={"description": "So many are silence."})
    accepted = fields.Integer(metadata={"description": "Posts accepted in the 24 hours before."})
    refused = fields.Integer(metadata={"description": "Posts refused in the 24 hours before."})
    next_step = fields.String(metadata={"description": "What to do about it."})


class SourceSchema(Schema):
    """A source and how it was doing when it was last looked at."""

    name = fields.String(required=True)
    esp = fields.String()
    test = fields.Boolean(attribute="is_test", metadata={"description": "True for a test source, which is never watched."})
    state = fields.String(metadata={"enum": [*(item.value for item in SourceState), UNWATCHED]})
    judged_at = moment("When that was found; null for a source that is not watched.", attribute="judged_us")
    last_received_at = moment("When its last event was received.", attribute="last_received_us")
    last_post_at = HourField(
        attribute="last_hour", allow_none=True, metadata={"description": "UTC hour of its last accepted post.", "format": "date-time"}
    )
    missed_hours = fields.Float(allow_none=True, metadata={"description": "Hours with posts that were to be expected since then."})
    allowed_hours = fields.Float(allow_none=True, metadata={"description": "So many are silence; null while no rhythm is known."})
    accepted_24h = fields.Integer(allow_none=True, attribute="accepted", metadata={"description": "Posts accepted in 24 hours."})
    refused_24h = fields.Integer(allow_none=True, attribute="refused", metadata={"description": "Posts refused in 24 hours."})
    open_alerts = fields.List(fields.Nested(SourceAlertSchema), metadata={"description": "What is firing about it."})


class SourceTransitionSchema(Schema):
    """One change of a source alert's state."""

    at = moment("When.", attribute="at_us")
    state = fields.String()
    reason = fields.String(metadata={"description": "opened, reopened, recovered, expired or unwatched."})
    severity = fields.String()


class SourceAlertHistorySchema(SourceAlertSchema):
    """An alert about a source, with every change of its state."""

    transitions = fields.List(fields.Nested(SourceTransitionSchema))


class SourceDetailSchema(SourceSchema):
    """A source with the newest alerts about it, open and closed."""

    alerts = fields.List(fields.Nested(SourceAlertHistorySchema), metadata={"description": "Newest first, at most 50."})


class SourceList(Schema):
    """A page of sources."""

    items = fields.List(fields.Nested(SourceSchema), required=True)
    next_cursor = next_cursor()


SOURCE_ALERT_EXAMPLE: dict[str, Any] = {
    "id": "5f0c3b7a9d1e4f2b8a6c0d9e7f5a3b1c",
    "alert": "source_silent",
    "state": "firing",
    "severity": "warning",
    "opened_at": "2026-01-06T15:00:21Z",
    "last_true_at": "2026-01-06T16:20:21Z",
    "closed_at": None,
    "close_reason": None,
    "reopen_count": 0,
    "last_post_at": "2026-01-05T08:00:00Z",
    "missed_hours": 16.0,
    "allowed_hours": 15.0,
    "accepted": 0,
    "refused": 0,
    "next_step": "Look at acme-sendgrid's webhook at the ESP: it has to be switched on and to post to /webhooks/acme-sendgrid. If mail has"
    " really ceased, take the source out of hopp.toml.",
}
SOURCE_EXAMPLE: dict[str, Any] = {
    "name": "acme-sendgrid",
    "esp": "sendgrid",
    "test": False,
    "state": "silent",
    "judged_at": "2026-01-06T16:20:21Z",
    "last_received_at": "2026-01-05T08:41:07Z",
    "last_post_at": "2026-01-05T08:00:00Z",
    "missed_hours": 16.0,
    "allowed_hours": 15.0,
    "accepted_24h": 0,
    "refused_24h": 0,
    "open_alerts": [SOURCE_ALERT_EXAMPLE],
}
SOURCE_LIST_EXAMPLE: dict[str, Any] = {"items": [SOURCE_EXAMPLE], "next_cursor": None}
SOURCE_DETAIL_EXAMPLE: dict[str, Any] = {
    **SOURCE_EXAMPLE,
    "alerts": [
        {
            **SOURCE_ALERT_EXAMPLE,
            "transitions": [{"at": "2026-01-06T15:00:21Z", "state": "firing", "reason": "opened", "severity": "warning"}],
        }
    ],
}
