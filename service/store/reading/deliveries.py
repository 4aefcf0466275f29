"""Which webhook posts are in the archive, and what became of each?"""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from service.model.words import DeliveryState
from service.store.packing import unpack_start
from service.store.reading.paging import Order, Page, Position, read_page
from service.store.reading.received import in_states, received
from service.store.tables import deliveries, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are asked for; None asks for any."""

    state: DeliveryState | None = None
    source: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    received_from_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One archived delivery without its body."""

    id: str
    source: str
    esp: str
    received_us: int
    state: str
    event_count: int
    duplicate_count: int
    problem_count: int
    error: str | None
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContent:
    """What came in over the wire."""

    headers: str
    query: str
    body: bytes
    is_cut: bool


def list_deliveries(connection: Connection, wanted: DeliveryFilter, *, limit: int, after: Position | None = None) -> Page[DeliveryRow]:
    """Newest received first; a poll gets oldest received first."""
    order = Order(at=deliveries.c.received_us, id=deliveries.c.id, ascending=wanted.received_from_us is not None)
    return read_page(connection, _selected().where(*_conditions(wanted)), order, _delivery, limit=limit, after=after)


def find_delivery(connection: Connection, delivery_id: str) -> DeliveryRow | None:
    """The delivery with this id."""
    row = connection.execute(_selected().where(deliveries.c.id == delivery_id)).first()
    return None if row is None else _delivery(row)


def load_content(connection: Connection, delivery_id: str, *, limit_bytes: int) -> DeliveryContent | None:
    """A delivery's headers, query and at most `limit_bytes` of its body."""
    statement = select(deliveries.c.headers, deliveries.c.query, deliveries.c.body).where(deliveries.c.id == delivery_id)
    row = connection.execute(statement).first()
    if row is None:
        return None
    body = unpack_start(row.body, limit_bytes + 1)
    return DeliveryContent(headers=row.headers, query=row.query, body=body[:limit_bytes], is_cut=len(body) > limit_bytes)


def _selected() -> Select[Any]:
    elsewhere = {"source": sources.c.name.label("source"), "esp": sources.c.esp.label("esp")}
    columns = (elsewhere[item.name] if item.name in elsewhere else deliveries.c[item.name] for item in fields(DeliveryRow))
    return select(*columns).select_from(deliveries).join(sources, sources.c.id == deliveries.c.source_id)


def _delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(**{item.name: getattr(row, item.name) for item in fields(DeliveryRow)})


def _conditions(wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    conditions = received(deliveries, source=wanted.source, from_us=wanted.from_us, to_us=wanted.to_us)
    if wanted.state is not None:
        conditions += in_states((wanted.state.value,))
    if wanted.received_from_us is not None:
        conditions.append(deliveries.c.received_us >= wanted.received_from_us)
    return conditions
