"""How does the API word a delivery, which is one webhook post?"""

from typing import Any

from marshmallow import Schema, fields, validate

from service.model.words import DeliveryState
from service.schemas.fields import SpanQuery, moment, next_cursor, query_moment, query_text

_STATES = tuple(state.value for state in DeliveryState)


class DeliveryQuery(SpanQuery):
    """What the list of deliveries can be asked."""

    state = fields.String(
        validate=validate.OneOf(_STATES, error="Is not one of the words that this parameter knows."),
        metadata={"description": "Only deliveries in this state.", "x-mend": f"Give one of: {', '.join(_STATES)}."},
    )
    source = query_text("Only deliveries of this source.")
    from_ = query_moment("Only deliveries received at this moment or later.", data_key="from")
    to = query_moment("Only deliveries received before this moment.")
    updated_since = query_moment("The same as `from`, but oldest first: what a poller asks.")


class DeliverySchema(Schema):
    """One webhook post and what became of it, without its body."""

    id = fields.String(required=True)
    source = fields.String()
    esp = fields.String()
    received_at = moment("When it was received.", attribute="received_us")
    state = fields.String(metadata={"enum": list(_STATES)})
    event_count = fields.Integer(metadata={"description": "Events that were new."})
    duplicate_count = fields.Integer(metadata={"description": "Events that were known already."})
    problem_count = fields.Integer(metadata={"description": "Parts that could not be read."})
    error = fields.String(allow_none=True, metadata={"description": "Why (part of) it could not be read."})
    content_type = fields.String()


class DeliveryDetailSchema(DeliverySchema):
    """One webhook post; what came in over the wire is shown to operators and is null for readers."""

    headers = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True, metadata={"description": "No credentials."})
    query = fields.String(allow_none=True)
    body = fields.String(allow_none=True, metadata={"description": "As text, with U+FFFD for bytes that are none."})
    body_is_cut = fields.Boolean(allow_none=True, metadata={"description": "True where the body is longer than what is shown."})


class DeliveryList(Schema):
    """A page of deliveries."""

    items = fields.List(fields.Nested(DeliverySchema), required=True)
    next_cursor = next_cursor()


DELIVERY_EXAMPLE: dict[str, Any] = {
    "id": "019b8d5c7a107c3e8f21a4b6c8d0e2f4",
    "source": "acme-sendgrid",
    "esp": "sendgrid",
    "received_at": "2026-01-05T08:02:14.218000Z",
    "state": "quarantined",
    "event_count": 0,
    "duplicate_count": 0,
    "problem_count": 1,
    "error": "The body is no JSON array.",
    "content_type": "application/json",
}
DELIVERY_LIST_EXAMPLE: dict[str, Any] = {"items": [DELIVERY_EXAMPLE], "next_cursor": None}
DELIVERY_DETAIL_EXAMPLE: dict[str, Any] = {
    **DELIVERY_EXAMPLE,
    "headers": {"user-agent": "SendGrid Event API"},
    "query": "",
    "body": '{"event": "bounce"}',
    "body_is_cut": False,
}
