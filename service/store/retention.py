"""What is kept longer than it may be, and how does it leave?

On PostgreSQL a month of receipt leaves as a whole, once all of it is old enough. SQLite, and what PostgreSQL held before its tables
were partitioned, let rows go in batches. Before events go, what they say of their recipients is kept: a later fold starts from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, func, select, text

from service.alerting.counting import DELIVERED_CELLS, HARD_CELLS, Cell
from service.store import bulk, partitions
from service.store.kept_tables import recipient_bases
from service.store.partitions import Partition
from service.store.reply_tables import reply_hourly
from service.store.tables import deliveries, domain_hourly, events

TABLES: Mapping[str, Table] = {"archive": deliveries, "events": events}
_HOURS_AT_ONCE = 24
_BLOCKS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What of a table is older than a moment: whole partitions, and a relation that single rows leave."""

    partitions: tuple[Partition, ...]
    rows_from: str | None


def find_leaving(connection: Connection, table: Table, before_us: int) -> Leaving:
    """What of a table was received before this moment, and may go; of a month that is not over by then, nothing."""
    if not partitions.is_partitioned(connection, table):
        return Leaving(partitions=(), rows_from=table.name)
    known = partitions.list_partitions(connection, table)
    straddling = [part.name for part in known if part.is_all_before and part.end_us > before_us]
    return Leaving(partitions=tuple(part for part in known if part.end_us <= before_us), rows_from=straddling[0] if straddling else None)


def count_leaving(connection: Connection, leaving: Leaving, before_us: int) -> int:
    """How many rows that is."""
    count: int = sum(connection.execute(text(f"SELECT count(*) FROM {part.name}")).scalar_one() for part in leaving.partitions)  # noqa: S608
    if leaving.rows_from:
        statement = text(f"SELECT count(*) FROM {leaving.rows_from} WHERE received_us < :before_us")  # noqa: S608 - our own name
        count += connection.execute(statement, {"before_us": before_us}).scalar_one()
    return count


def drop_partition(connection: Connection, table: Table, partition: Partition) -> int:
    """Drop a partition; returns how many rows it had."""
    rows = count_leaving(connection, Leaving(partitions=(partition,), rows_from=None), 0)
    if table is events:
        _keep_bases(connection, partition.name)
    partitions.drop(connection, table, partition)
    return rows


def delete_deliveries(connection: Connection, relation: str, before_us: int, limit: int) -> int:
    """Delete the oldest deliveries received before this moment; returns how many went."""
    chosen = f"SELECT id FROM {relation} WHERE received_us < :before_us ORDER BY received_us LIMIT :limit"  # noqa: S608 - our own name
    statement = text(f"DELETE FROM {relation} WHERE received_us < :before_us AND id IN ({chosen})")  # noqa: S608
    return connection.execute(statement, {"before_us": before_us, "limit": limit}).rowcount


def delete_events(connection: Connection, relation: str, before_us: int, limit: int) -> int:
    """Delete the oldest events received before this moment; returns how many went."""
    chosen = text(f"SELECT id FROM {relation} WHERE received_us < :before_us ORDER BY received_us LIMIT :limit")  # noqa: S608 - our own name
    ids = connection.execute(chosen, {"before_us": before_us, "limit": limit}).scalars().all()
    if not ids:
        return 0
    among = f"id IN ({', '.join(str(int(id_)) for id_ in ids)})"  # written out: SQLite takes few variables
    _keep_bases(connection, relation, f" AND {among}")
    gone = text(f"DELETE FROM {relation} WHERE received_us < :before_us AND {among}")  # noqa: S608 - our own name and numbers
    return connection.execute(gone, {"before_us": before_us}).rowcount


def oldest_kept_us(connection: Connection, before_us: int) -> int:
    """No event received before this moment is left, of those that may go."""
    straddling = find_leaving(connection, events, before_us).rows_from
    return before_us if straddling else partitions.Month.of(before_us).start_us


def delete_keys(connection: Connection, before_us: int, from_block: int) -> tuple[int, int | None]:
    """Delete keys of events that are gone, from a part of their table; returns how many went, and where the next part begins."""
    sought = {"before_us": before_us, "low": f"({from_block},0)", "high": f"({from_block + _BLOCKS_AT_ONCE},0)"}
    if from_block == 0 and not _has_old_keys(connection, before_us):
        return 0, None
    statement = text("DELETE FROM event_keys WHERE ctid >= CAST(:low AS tid) AND ctid < CAST(:high AS tid) AND received_us < :before_us")
    deleted = connection.execute(statement, sought).rowcount
    blocks = connection.execute(text("SELECT pg_relation_size('event_keys') / current_setting('block_size')::bigint")).scalar_one()
    following = from_block + _BLOCKS_AT_ONCE
    return deleted, following if following < blocks else None


def _has_old_keys(connection: Connection, before_us: int) -> bool:
    found = text("SELECT EXISTS (SELECT FROM event_keys WHERE received_us < :before_us)")
    return bool(connection.execute(found, {"before_us": before_us}).scalar_one())


def oldest_hour(connection: Connection) -> int | None:
    """The first hour of the roll-ups by domain; None where there is none."""
    return connection.execute(select(func.min(domain_hourly.c.hour))).scalar()


def count_hours(connection: Connection, before_hour: int) -> int:
    """How many rows of the roll-ups by domain are of hours before this one."""
    return connection.execute(select(func.count()).where(domain_hourly.c.hour < before_hour)).scalar_one()


def delete_hours(connection: Connection, from_hour: int, before_hour: int) -> int:
    """Delete a day of roll-ups; returns how many rows by domain went."""
    until = min(from_hour + _HOURS_AT_ONCE, before_hour)
    connection.execute(delete(reply_hourly).where(reply_hourly.c.hour < until))
    return connection.execute(delete(domain_hourly).where(domain_hourly.c.hour < until)).rowcount


def _keep_bases(connection: Connection, relation: str, chosen: str = "") -> None:
    """Remember of the events of a relation (all, or those chosen) when each recipient was last delivered to, and last bounced."""
    sets = ", ".join(bulk.greatest(connection, name, recipient_bases) for name in ("delivered_us", "hard_us"))
    statement = (
        "INSERT INTO recipient_bases (recipient_id, delivered_us, hard_us)"  # noqa: S608 - our own names and numbers
        f" SELECT recipient_id, {_newest(DELIVERED_CELLS)}, {_newest(HARD_CELLS)} FROM {relation}"
        f" WHERE recipient_id IS NOT NULL AND cell IN ({_listed(DELIVERED_CELLS | HARD_CELLS)}){chosen} GROUP BY recipient_id"
        f" ON CONFLICT (recipient_id) DO UPDATE SET {sets}"
    )
    connection.execute(text(statement))


def _newest(cells: frozenset[Cell]) -> str:
    return f"coalesce(max(CASE WHEN cell IN ({_listed(cells)}) THEN occurred_us END), 0)"


def _listed(cells: frozenset[Cell]) -> str:
    return ", ".join(str(int(cell)) for cell in sorted(cells))
