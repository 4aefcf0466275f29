"""Which events are there?"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from service.alerting.counting import Cell
from service.model.moments import FILED_AHEAD_US
from service.model.words import EventKind, Label
from service.store.reading.paging import Order, Page, Position, read_page
from service.store.tables import events, recipients, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are asked for; None asks for any."""

    domain: str | None = None
    recipient: str | None = None
    kind: EventKind | None = None
    source: str | None = None
    label: Label | None = None
    from_us: int | None = None  # of the event's own time
    to_us: int | None = None
    received_from_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event as it is stored."""

    id: int
    delivery_id: str
    source: str
    esp: str
    kind: str
    recipient: str | None
    domain: str
    occurred_us: int
    reported_us: int | None
    received_us: int
    reported_type: str | None
    counts_as_hard: bool
    phase: str
    label: str | None
    label_group: str | None
    persistence: str | None
    doubt: str | None
    rule: str | None
    vendor: str | None
    evidence: str | None
    gateway: str
    smtp_code: int | None
    enhanced_status_code: str | None
    smtp_stage: str | None
    diagnostic: str | None
    message_id: str | None
    esp_event_id: str | None
    esp_event_type: str | None
    esp_class: str | None
    esp_subclass: str | None
    remote_host: str | None
    remote_ip: str | None
    sending_ip: str | None
    campaign: str | None
    suppressed_by_esp: bool | None
    extra: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidRow:
    """What a server answered to one mail."""

    diagnostic: str
    recipient: str | None
    label: str | None
    vendor: str | None


def list_events(connection: Connection, wanted: EventFilter, *, limit: int, after: Position | None = None) -> Page[EventRow]:
    """Newest received first; newest event time first for one domain or recipient; a poll gets oldest received first."""
    return read_page(connection, _selected().where(*_conditions(wanted)), _order(wanted), _event, limit=limit, after=after)


def load_events(connection: Connection, ids: Sequence[int]) -> tuple[EventRow, ...]:
    """The events with these ids that are still kept, oldest first."""
    rows = connection.execute(_selected().where(events.c.id.in_(ids)).order_by(events.c.occurred_us, events.c.id))
    return tuple(_event(row) for row in rows)


def list_said(connection: Connection, domain: str, from_us: int, before_us: int, *, limit: int) -> tuple[SaidRow, ...]:
    """The answers behind the fresh hard bounces of a domain in a window, newest first."""
    statement = (
        select(events.c.diagnostic, recipients.c.address.label("recipient"), events.c.label, events.c.vendor)
        .join(recipients, recipients.c.id == events.c.recipient_id, isouter=True)
        .where(
            events.c.domain == domain,
            events.c.occurred_us >= from_us,
            events.c.received_us >= from_us - FILED_AHEAD_US,  # leaves out the partitions of older months
            events.c.occurred_us < before_us,
            events.c.cell.in_((Cell.WARM_HARD, Cell.COLD_HARD)),
            events.c.diagnostic.is_not(None),
        )
        .order_by(events.c.occurred_us.desc(), events.c.id.desc())
        .limit(limit)
    )
    return tuple(SaidRow(**row._asdict()) for row in connection.execute(statement))


def _selected() -> Select[Any]:
    elsewhere = {"source": sources.c.name.label("source"), "recipient": recipients.c.address.label("recipient")}
    return (
        select(*(elsewhere[item.name] if item.name in elsewhere else events.c[item.name] for item in fields(EventRow)))
        .select_from(events)
        .join(sources, sources.c.id == events.c.source_id)
        .join(recipients, recipients.c.id == events.c.recipient_id, isouter=True)
    )


def _event(row: Row[Any]) -> EventRow:
    return EventRow(**{item.name: getattr(row, item.name) for item in fields(EventRow)})


def _order(wanted: EventFilter) -> Order:
    if wanted.received_from_us is not None:
        return Order(at=events.c.received_us, id=events.c.id, ascending=True)
    if wanted.domain is not None or wanted.recipient is not None:
        return Order(at=events.c.occurred_us, id=events.c.id)
    return Order(at=events.c.received_us, id=events.c.id)


def _conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    exact = {
        events.c.domain: wanted.domain,
        events.c.kind: wanted.kind,
        events.c.label: wanted.label,
    }
    conditions: list[ColumnElement[bool]] = [column == str(value) for column, value in exact.items() if value is not None]
    if wanted.recipient is not None:
        known = select(recipients.c.id).where(recipients.c.address == wanted.recipient).scalar_subquery()
        conditions.append(events.c.recipient_id == known)
    if wanted.source is not None:
        conditions.append(sources.c.name == wanted.source)
    if wanted.from_us is not None:
        # The second one says nothing new, but lets the list that is sorted by receipt stop early, and leaves out older months.
        conditions += [events.c.occurred_us >= wanted.from_us, events.c.received_us >= wanted.from_us - FILED_AHEAD_US]
    if wanted.to_us is not None:
        conditions.append(events.c.occurred_us < wanted.to_us)
    if wanted.received_from_us is not None:
        conditions.append(events.c.received_us >= wanted.received_from_us)
    return conditions
