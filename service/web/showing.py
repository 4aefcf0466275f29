"""What of a stored row is shown to whom?"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from service.schemas.alerts import shares
from service.schemas.masking import mask_address, mask_text
from service.store.reading.alerts import AlertRow
from service.store.reading.deliveries import DeliveryContent, DeliveryRow
from service.store.reading.domains import HourRow
from service.store.reading.events import EventRow

_FREE_TEXTS = ("diagnostic", "evidence", "campaign", "esp_event_id", "esp_event_type", "esp_class", "esp_subclass", "remote_host")


def show_alert(row: AlertRow) -> dict[str, Any]:
    """An alert; it holds no address."""
    derived = {
        "attempts": row.attempts,
        "reported_hard": row.reported_hard,
        "window_start_us": row.window_start_us,
        "window_end_us": row.window_end_us,
        "incident": None,
    }
    return {**asdict(row), **derived, **shares(row)}


def show_hour(row: HourRow) -> dict[str, Any]:
    """One hour of a recipient domain."""
    rate = row.reported_hard / row.attempts if row.attempts else None
    return {**asdict(row), "attempts": row.attempts, "reported_hard": row.reported_hard, "rate": rate}


def show_event(row: EventRow, *, whole: bool) -> dict[str, Any]:
    """An event, with addresses `whole` or masked."""
    shown = asdict(row)
    extra = _object_in(shown.pop("extra"))
    shown.update({"gateway": row.gateway or None, "tags": None, "metadata": None, "subject": None}, **extra)
    if whole:
        return shown
    shown["recipient"] = row.recipient and mask_address(row.recipient)
    shown["message_id"] = row.message_id and _masked_id(row.message_id, row.recipient)
    for name in (*_FREE_TEXTS, "subject", "tags", "metadata"):
        shown[name] = _masked(shown[name], row.recipient)
    return shown


def show_delivery(row: DeliveryRow, *, whole: bool) -> dict[str, Any]:
    """A delivery without what came in; its error may quote it."""
    return {**asdict(row), "error": row.error if whole or row.error is None else mask_text(row.error)}


def show_content(content: DeliveryContent | None) -> dict[str, Any]:
    """What came in over the wire, or null for each of it."""
    if content is None:
        return dict.fromkeys(("headers", "query", "body", "body_is_cut"))
    return {
        "headers": _object_in(content.headers),
        "query": content.query,
        "body": content.body.decode("utf-8", "replace"),
        "body_is_cut": content.is_cut,
    }


def _masked_id(message_id: str, recipient: str | None) -> str:
    """Some senders write the recipient into it, in ways of their own."""
    return mask_address(message_id) if "@" in message_id else mask_text(message_id, recipient)


def _masked(value: object, recipient: str | None) -> object:
    if isinstance(value, str):
        return mask_text(value, recipient)
    if isinstance(value, Mapping):
        return {mask_text(str(key), recipient): _masked(item, recipient) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, recipient) for item in value]
    return value


def _object_in(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
