"""How are archived deliveries read again, and how is what became of them changed?"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, select

from service.model.events import Delivery
from service.model.moments import from_us
from service.store import bulk
from service.store.database import Database
from service.store.ingest import SourceRow
from service.store.packing import unpack
from service.store.reading.paging import Order, read_parts
from service.store.reading.received import in_states, received
from service.store.tables import deliveries, events, sources

OLDEST_FIRST = Order(at=deliveries.c.received_us, id=deliveries.c.id, ascending=True)
_AT_ONCE = 50  # bodies are held in memory, and one may have many megabytes
_OUTCOME_COLUMNS = ("state", "event_count", "duplicate_count", "problem_count", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFilter:
    """Which deliveries are asked for; None asks for any."""

    states: tuple[str, ...]
    delivery_id: str | None = None
    source: str | None = None
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a delivery, as the archive keeps it."""

    state: str
    event_count: int
    duplicate_count: int
    problem_count: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A delivery as it came in, and what became of it."""

    delivery: Delivery
    source: SourceRow
    outcome: Outcome


def count_archived(database: Database, wanted: ArchiveFilter) -> int:
    """How many deliveries are asked for."""
    statement = select(func.count()).select_from(deliveries).join(sources, sources.c.id == deliveries.c.source_id)
    with database.read() as connection:
        return connection.execute(statement.where(*_conditions(wanted))).scalar_one()


def load_archived(database: Database, wanted: ArchiveFilter) -> Iterator[tuple[Archived, ...]]:
    """Deliveries with their bodies, oldest received first, some at a time."""
    statement = (
        select(deliveries, sources.c.name, sources.c.esp, sources.c.is_test)
        .join(sources, sources.c.id == deliveries.c.source_id)
        .where(*_conditions(wanted))
    )
    return read_parts(database, statement, OLDEST_FIRST, _archived, at_once=_AT_ONCE)


def lock_states(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The states of these deliveries; the rows are ours until the transaction ends."""
    return dict(bulk.select_in(connection, deliveries, ("id", "state"), key="id", values=sorted(ids), lock=bulk.Lock.WAIT))


def save_outcomes(connection: Connection, outcomes: Sequence[tuple[str, Outcome]]) -> None:
    """Write what became of these deliveries."""
    rows = [
        (item.state, item.event_count, item.duplicate_count, item.problem_count, item.error, delivery_id)
        for delivery_id, item in sorted(outcomes, key=lambda pair: pair[0])
    ]
    bulk.update(connection, deliveries, "id", _OUTCOME_COLUMNS, rows)


def load_brought(connection: Connection, received_us: Collection[int]) -> set[tuple[str, bytes]]:
    """Which events were first brought by which of the deliveries that were received at these moments: delivery id, event key."""
    columns = ("delivery_id", "event_key")
    found = bulk.select_in(connection, events, columns, key="received_us", values=sorted(set(received_us)))
    return {(delivery_id, bytes(key)) for delivery_id, key in found}


def _archived(row: Any) -> Archived:  # noqa: ANN401 - a row's columns are known to the table only
    delivery = Delivery(
        id=row.id,
        source=row.name,
        esp=row.esp,
        received_at=from_us(row.received_us),
        body=unpack(row.body),
        content_type=row.content_type,
        headers=orjson.loads(row.headers),
        query=row.query,
    )
    return Archived(
        delivery=delivery,
        source=SourceRow(id=row.source_id, name=row.name, esp=row.esp, is_test=bool(row.is_test)),
        outcome=Outcome(**{name: getattr(row, name) for name in _OUTCOME_COLUMNS}),
    )


def _conditions(wanted: ArchiveFilter) -> list[ColumnElement[bool]]:
    span = received(deliveries, source=wanted.source, from_us=wanted.from_us, to_us=wanted.to_us)
    is_it = [] if wanted.delivery_id is None else [deliveries.c.id == wanted.delivery_id]
    return [*in_states(wanted.states), *is_it, *span]
