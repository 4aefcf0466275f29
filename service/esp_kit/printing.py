"""How is an event written for others: which keys, in which order?"""

from service.model.events import Event
from service.model.moments import iso, to_us

KEYS = (
    "kind",
    "esp",
    "recipient",
    "occurred_at",
    "message_id",
    "esp_event_id",
    "esp_event_type",
    "reported_type",
    "esp_class",
    "esp_subclass",
    "smtp_code",
    "enhanced_status_code",
    "diagnostic",
    "smtp_stage",
    "remote_host",
    "remote_ip",
    "sending_ip",
    "campaign",
    "tags",
    "metadata",
    "subject",
    "suppressed_by_esp",
    "phase",
)


def event_as_dict(event: Event) -> dict[str, object]:
    """The event as values that JSON knows, with every key; an absent value is None."""
    written = {key: getattr(event, key) for key in KEYS}
    written["occurred_at"] = iso(to_us(event.occurred_at)) if event.occurred_at else None
    written["tags"] = list(event.tags) if event.tags is not None else None
    written["metadata"] = dict(event.metadata) if event.metadata is not None else None
    return written
