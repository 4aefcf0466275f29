"""Builders of events and streams, and a picture of the tables that two orders of arrival can be compared by."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import text

from service.alerting.counting import ATTEMPT_KINDS
from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.model.events import Event
from service.model.moments import to_us
from service.model.words import EventKind, Phase, ReportedType
from service.pipeline.incoming import Incoming
from service.pipeline.labelling import LabelledEvent, attempt_of
from service.pipeline.record import Recorded, record
from service.store import ingest
from service.store.database import Database
from service.store.schema import migrate

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BOOK = DomainBook(["gmx.example"], ["cisco"])
POLICY = Policy()


def database_at(url: str) -> Database:
    """A migrated database."""
    database = Database(url)
    migrate(database)
    return database


def forget(database: Database, *tables: str) -> None:
    """Remove all rows of these tables; the keys of events go with the events."""
    keys = ("event_keys",) if "events" in tables and not database.is_sqlite else ()
    with database.write() as connection:
        for table in (*tables, *keys):
            connection.execute(text(f"DELETE FROM {table}"))


def event(
    recipient: str = "anna@steel.example",
    *,
    kind: EventKind = EventKind.DELIVERED,
    minutes: float = 0,
    message: str = "m1",
    reported: ReportedType | None = None,
    phase: Phase = Phase.UNKNOWN,
) -> Event:
    """An event some minutes after START."""
    return Event(
        kind=kind,
        esp="generic",
        recipient=recipient,
        occurred_at=START + timedelta(minutes=minutes),
        message_id=message,
        reported_type=reported,
        phase=phase,
        identity=(message, kind, str(minutes), phase, str(reported)),
    )


def hard(recipient: str = "anna@steel.example", *, minutes: float = 0, message: str = "m1", phase: Phase = Phase.UNKNOWN) -> Event:
    """A reported hard bounce."""
    return event(recipient, kind=EventKind.BOUNCED, minutes=minutes, message=message, reported=ReportedType.HARD, phase=phase)


def labelled(item: Event, *, gateway: str = "") -> LabelledEvent:
    """The event as labelling leaves it, without asking the rules."""
    assert item.occurred_at is not None
    content = "|".join((item.kind, item.recipient or "", *item.identity))
    key, occurred_us = blake2b(content.encode(), digest_size=16).digest(), to_us(item.occurred_at)
    is_hard = item.kind is EventKind.BOUNCED and item.reported_type is ReportedType.HARD
    return LabelledEvent(
        event=item,
        key=key,
        occurred_us=occurred_us,
        reported_us=None,
        classification=None,
        gateway=gateway,
        is_gateway_by_host=bool(gateway),
        counts_as_hard=is_hard,
        domain=(item.recipient or "").rpartition("@")[2],
        attempt=attempt_of(item, key, occurred_us, is_hard=is_hard) if item.kind in ATTEMPT_KINDS else None,
    )


def put(database: Database, items: Sequence[Event], *, source: str = "acme", lag_minutes: float = 1, test: bool = False) -> Recorded:
    """Record events in one batch, received some minutes after each occurred."""
    now_us = max(to_us(item.occurred_at) for item in items if item.occurred_at) + int(lag_minutes * 60_000_000)
    with database.write() as connection:
        row = ingest.ensure_sources(connection, {source: ("generic", test)}, now_us)[source]
        batch = [
            Incoming(labelled(item), row, "d" * 32, to_us(item.occurred_at) + int(lag_minutes * 60_000_000), teaches_lag=True)
            for item in items
            if item.occurred_at
        ]
        return record(connection, batch, policy=POLICY, book=BOOK, now_us=now_us)


_PICTURES = {
    "events": "SELECT event_key, kind, domain, occurred_us, counts_as_hard, cell FROM events ORDER BY event_key",
    "recipients": (
        "SELECT address, last_delivered_us, last_hard_us, last_engaged_us, hard_count, newest_us, newest_rank, newest_key"
        " FROM recipients ORDER BY address"
    ),
    "domain_hourly": (
        "SELECT domain, hour, sending_ip, campaign, warm_n, warm_k, cold_n, cold_k, repeat_k, soft_k, first_us, last_us"
        " FROM domain_hourly ORDER BY domain, hour, sending_ip, campaign"
    ),
}


def picture(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Events, recipients and roll-ups, without what depends on arrival."""
    with database.read() as connection:
        return {name: [tuple(_plain(value) for value in row) for row in connection.execute(text(sql))] for name, sql in _PICTURES.items()}


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
