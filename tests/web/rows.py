"""Rows of the tables, with defaults for all that a test does not ask about."""

from datetime import UTC, datetime

import zstandard

from service.model.moments import HOUR_US, hour_of, to_us

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
NOW_US = to_us(NOW)
HOUR = hour_of(NOW_US)


def source_row(row_id: int = 1, name: str = "acme", *, esp: str = "sendgrid") -> dict[str, object]:
    """A row of `sources`."""
    return {"id": row_id, "name": name, "esp": esp, "is_test": False, "first_seen_us": NOW_US}


def alert_row(alert_id: str = "a" * 32, **changes: object) -> dict[str, object]:
    """A row of `alerts`: 15 of 21 warm mails refused within two hours."""
    domain = changes.get("domain", "steel.example")
    row: dict[str, object] = {
        "id": alert_id,
        "dedupe_key": f"domain:{domain}",
        "domain": domain,
        "domain_class": "business_gateway",
        "gateway": "proofpoint",
        "state": "firing",
        "severity": "critical",
        "window_hours": 2,
        "window_end_hour": HOUR,
        "rate_known": True,
        "warm_n": 20,
        "warm_k": 15,
        "cold_n": 1,
        "cold_k": 0,
        "ln_e": 42.5,
        "ln_e_min": 4.6,
        "expected": 0.6,
        "shrunk_rate": 0.38,
        "threshold": 0.1,
        "first_event_us": NOW_US - HOUR_US,
        "last_event_us": NOW_US,
        "hold_us": 180_000_000,
        "opened_us": NOW_US,
        "last_true_us": NOW_US,
        "reopen_count": 0,
        "updated_us": NOW_US,
        "updated_seq": 1,
        "sample_event_ids": "[]",
    }
    return row | changes


def event_row(row_id: int = 1, **changes: object) -> dict[str, object]:
    """A row of `events`: a hard bounce at steel.example, counted as warm."""
    row: dict[str, object] = {
        "id": row_id,
        "event_key": row_id.to_bytes(16, "big"),
        "delivery_id": "d" * 32,
        "source_id": 1,
        "recipient_id": None,
        "domain": "steel.example",
        "kind": "bounced",
        "occurred_us": NOW_US - 60_000_000,
        "received_us": NOW_US,
        "cell": 3,
        "esp": "sendgrid",
        "phase": "sync",
        "reported_type": "hard",
        "counts_as_hard": True,
        "gateway": "",
    }
    return row | changes


def recipient_row(row_id: int = 1, address: str = "john.doe@steel.example", **changes: object) -> dict[str, object]:
    """A row of `recipients`."""
    row: dict[str, object] = {
        "id": row_id,
        "address": address,
        "domain": address.rpartition("@")[2],
        "newest_key": b"",
        **dict.fromkeys(("last_delivered_us", "last_hard_us", "last_engaged_us", "hard_count", "newest_us", "newest_rank"), 0),
    }
    return row | changes


def hour_row(hour: int = HOUR, **changes: object) -> dict[str, object]:
    """A row of `domain_hourly`."""
    row: dict[str, object] = {
        "domain": "steel.example",
        "hour": hour,
        "source_id": 1,
        "sending_ip": "",
        "campaign": "",
        "first_us": NOW_US,
        "last_us": NOW_US,
        **dict.fromkeys(("warm_n", "warm_k", "cold_n", "cold_k", "repeat_k", "soft_k"), 0),
    }
    return row | changes


def delivery_row(delivery_id: str = "d" * 32, body: bytes = b"{}", **changes: object) -> dict[str, object]:
    """A row of `deliveries`."""
    row: dict[str, object] = {
        "id": delivery_id,
        "source_id": 1,
        "received_us": NOW_US,
        "state": "processed",
        "event_count": 1,
        "duplicate_count": 0,
        "problem_count": 0,
        "error": None,
        "content_type": "application/json",
        "headers": '{"user-agent":"ESP"}',
        "query": "",
        "body": zstandard.compress(body),
    }
    return row | changes


def lag_row(source_id: int = 1, **changes: object) -> dict[str, object]:
    """A row of `source_lag`."""
    row: dict[str, object] = {
        "source_id": source_id,
        "log_lag_seconds": 5.0,
        "delivered_count": 100,
        "hard_count": 3,
        "last_received_us": NOW_US - 90_000_000,
        "last_occurred_us": NOW_US - 95_000_000,
    }
    return row | changes


def domain_row(domain: str = "steel.example", **changes: object) -> dict[str, object]:
    """A row of `recipient_domains`."""
    row: dict[str, object] = {
        "domain": domain,
        "domain_class": "business_gateway",
        "gateway": "proofpoint",
        "newest_hour": HOUR,
        "last_hard_us": NOW_US,
        "delivered_since_hard": 2,
        "last_attempt_us": NOW_US,
    }
    return row | changes
