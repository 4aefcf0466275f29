"""How does the API word an event?"""

from typing import Any

from marshmallow import Schema, fields

from service.model.words import EventKind, Label
from service.schemas.fields import SpanQuery, moment, next_cursor, query_choice, query_moment, query_text


class EventQuery(SpanQuery):
    """What the list of events can be asked."""

    domain = query_text("Only events of this recipient domain; newest event time first.")
    recipient = query_text("Only events of this address; newest event time first. Needs the role operator.")
    kind = query_choice(EventKind, "Only events of this kind.")
    source = query_text("Only events of this source.")
    label = query_choice(Label, "Only events with this label.")
    from_ = query_moment("Only events that happened at this moment or later.", data_key="from")
    to = query_moment("Only events that happened before this moment.")
    updated_since = query_moment("Only events received at this moment or later, oldest first.")


class EventSchema(Schema):
    """One thing that happened to one mail for one recipient. What the ESP did not tell is null."""

    id = fields.Integer(required=True)
    delivery_id = fields.String(metadata={"description": "The webhook post that told of it."})
    source = fields.String()
    esp = fields.String()
    kind = fields.String(required=True, metadata={"enum": list(EventKind)})
    recipient = fields.String(allow_none=True, metadata={"description": "Masked as `j***@example.com` for readers."})
    domain = fields.String(metadata={"description": "Recipient domain; empty where there is no recipient."})
    occurred_at = moment("When it happened; when it was received, where the ESP's clock is ahead.", attribute="occurred_us")
    reported_at = moment("The ESP's own time where it could not be believed.", attribute="reported_us")
    received_at = moment("When it was received.", attribute="received_us")
    reported_type = fields.String(allow_none=True, metadata={"description": "What the ESP claims: hard, soft, block, undetermined."})
    counts_as_hard = fields.Boolean(metadata={"description": "Whether it is a hard bounce for the rates."})
    phase = fields.String()
    label = fields.String(allow_none=True, metadata={"description": "What the server's answer says, by the classifier."})
    label_group = fields.String(allow_none=True)
    persistence = fields.String(allow_none=True)
    doubt = fields.String(allow_none=True, metadata={"description": "Can this wording also be given to a live mailbox?"})
    rule = fields.String(allow_none=True, metadata={"description": "Id of the rule that gave the label."})
    vendor = fields.String(allow_none=True)
    evidence = fields.String(allow_none=True, metadata={"description": "The words that the rule matched."})
    gateway = fields.String(allow_none=True)
    smtp_code = fields.Integer(allow_none=True)
    enhanced_status_code = fields.String(allow_none=True)
    smtp_stage = fields.String(allow_none=True)
    diagnostic = fields.String(allow_none=True, metadata={"description": "The server's answer; addresses are masked for readers."})
    message_id = fields.String(allow_none=True)
    esp_event_id = fields.String(allow_none=True)
    esp_event_type = fields.String(allow_none=True)
    esp_class = fields.String(allow_none=True)
    esp_subclass = fields.String(allow_none=True)
    remote_host = fields.String(allow_none=True)
    remote_ip = fields.String(allow_none=True)
    sending_ip = fields.String(allow_none=True)
    campaign = fields.String(allow_none=True)
    suppressed_by_esp = fields.Boolean(allow_none=True)
    tags = fields.List(fields.String(), allow_none=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True)
    subject = fields.String(allow_none=True)


class EventList(Schema):
    """A page of events."""

    items = fields.List(fields.Nested(EventSchema), required=True)
    next_cursor = next_cursor()


EVENT_EXAMPLE: dict[str, Any] = {
    "id": 90211,
    "delivery_id": "019b8d5c7a107c3e8f21a4b6c8d0e2f4",
    "source": "acme-sendgrid",
    "esp": "sendgrid",
    "kind": "bounced",
    "recipient": "j***@acme-steel.example",
    "domain": "acme-steel.example",
    "occurred_at": "2026-01-05T08:02:11Z",
    "reported_at": None,
    "received_at": "2026-01-05T08:02:14.218000Z",
    "reported_type": "hard",
    "counts_as_hard": True,
    "phase": "unknown",
    "label": "invalid_recipient",
    "label_group": "recipient",
    "persistence": "permanent",
    "doubt": "likely",
    "rule": "gateway.proofpoint.user-unknown",
    "vendor": "proofpoint",
    "evidence": "user unknown",
    "gateway": "proofpoint",
    "smtp_code": 550,
    "enhanced_status_code": "5.1.1",
    "smtp_stage": "rcpt",
    "diagnostic": "550 5.1.1 user unknown <j***@acme-steel.example>",
    "message_id": "n1.20260105@mail.example.com",
    "esp_event_id": "Ym91bmNlLTAtMTIzNDU2Nzg",
    "esp_event_type": "bounce",
    "esp_class": "Invalid Address",
    "esp_subclass": None,
    "remote_host": None,
    "remote_ip": None,
    "sending_ip": "192.0.2.14",
    "campaign": "q1-launch",
    "suppressed_by_esp": True,
    "tags": ["newsletter"],
    "metadata": None,
    "subject": None,
}
EVENT_LIST_EXAMPLE: dict[str, Any] = {"items": [EVENT_EXAMPLE], "next_cursor": None}
