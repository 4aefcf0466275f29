"""Is there a partition for the month that a row was received in?

PostgreSQL keeps events and raw deliveries in one partition for each UTC month of receipt (docs/adr/0009): old months leave as a whole, and
what is written today lies in small indexes. SQLite keeps each in one table; for it there is nothing to do here.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import total_ordering

import psycopg
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import ProgrammingError

from service.model.errors import HoppError
from service.model.moments import from_us, to_us
from service.store import bulk
from service.store.database import Database
from service.store.tables import deliveries, events

PARTITIONED: tuple[Table, ...] = (events, deliveries)
MONTHS_AHEAD = 2
_LOCK_TIMEOUT = "5s"  # whoever waits longer for a table's lock gives up, for everybody else waits behind it
_NAME = re.compile(r"(?P<table>[a-z]+)_(?P<before>before_)?(?P<year>\d{4})_(?P<month>\d{2})")
# Rows are written once; what changes later is a label or a cell. PostgreSQL's own defaults would wait for a fifth of a month.
_STORAGE = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02"
_NOT_OWNER = (
    "The role in HOPP_DATABASE may neither add nor drop partitions, for it does not own the tables. Name their owner there, or let the "
    "owner run once a day: python -m service migrate, and: python -m service retain"
)


class NotOwnerError(HoppError):
    """Partitions are for the owner of the tables."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month."""

    year: int
    month: int

    def __lt__(self, other: "Month") -> bool:
        return (self.year, self.month) < (other.year, other.month)

    @classmethod
    def of(cls, us: int) -> "Month":
        """The month that a moment falls into."""
        moment = from_us(us)
        return cls(moment.year, moment.month)

    @property
    def start_us(self) -> int:
        """Its first moment."""
        return to_us(datetime(self.year, self.month, 1, tzinfo=UTC))

    def after(self, months: int) -> "Month":
        """The month so many months later."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def __str__(self) -> str:
        return f"{self.year:04}_{self.month:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition: a month, or everything before a month (what was there before tables were partitioned)."""

    name: str
    month: Month
    is_all_before: bool = False

    @property
    def end_us(self) -> int:
        """The first moment after it."""
        return self.month.start_us if self.is_all_before else self.month.after(1).start_us

    def holds(self, month: Month) -> bool:
        """True where rows of this month lie in it."""
        return month < self.month if self.is_all_before else month == self.month


def is_partitioned(connection: Connection, table: Table) -> bool:
    """True where the table is kept in partitions."""
    if not bulk.is_postgresql(connection):
        return False
    kind = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:name)")
    return bool(connection.execute(kind, {"name": table.name}).scalar())


def list_partitions(connection: Connection, table: Table) -> list[Partition]:
    """All partitions of a table, oldest first; none on SQLite."""
    if not bulk.is_postgresql(connection):
        return []
    of_table = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:name)")
    found = (_NAME.fullmatch(name) for name in connection.execute(of_table, {"name": table.name}).scalars())
    partitions = [
        Partition(name=name[0], month=Month(int(name["year"]), int(name["month"])), is_all_before=bool(name["before"]))
        for name in found
        if name is not None
    ]
    return sorted(partitions, key=lambda item: (item.end_us, item.month))


def ensure(connection: Connection, table: Table, received_us: Collection[int]) -> list[str]:
    """Add the partitions that rows of these moments need, in the open transaction; returns the names of those added.

    Asked before each batch, so the usual answer (all there) costs one look at the catalogue. Nobody who reads or writes waits
    for one that is added, but two who add to one table wait for each other.
    """
    if not received_us or not bulk.is_postgresql(connection):
        return []
    months = _months(received_us)
    names = [f"{table.name}_{month}" for month in months]
    there = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(string_to_array(%s, ',')) AS name"
    if bulk.ask(connection, there, (",".join(names),)) == [(True,)]:
        return []
    if not is_partitioned(connection, table) or not _missing(connection, table, months):
        return []
    return _add(connection, table, months)


def ensure_ahead(database: Database, now_us: int) -> list[str]:
    """Add the partitions of this month and the next ones, in a transaction for each table; returns the names of those added."""
    if database.is_sqlite:
        return []
    moments = [month.start_us for month in months_ahead(now_us)]
    added = []
    for table in PARTITIONED:
        with database.write() as connection:
            added += ensure(connection, table, moments)
    return added


def months_ahead(now_us: int) -> Sequence[Month]:
    """This month and those whose partitions should be there already."""
    return [Month.of(now_us).after(number) for number in range(MONTHS_AHEAD + 1)]


def missing_ahead(connection: Connection, now_us: int) -> list[str]:
    """Names of the partitions that should be there and are not."""
    return [f"{table.name}_{month}" for table in PARTITIONED for month in _missing(connection, table, months_ahead(now_us))]


def drop(connection: Connection, table: Table, partition: Partition) -> None:
    """Drop a partition with all its rows. It waits a few seconds for those who read the table, then fails: ask again later."""
    with _as_owner():
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(f"ALTER TABLE {table.name} DETACH PARTITION {partition.name}"))
        connection.execute(text(f"DROP TABLE {partition.name}"))


def _months(moments_us: Collection[int]) -> list[Month]:
    first, last = Month.of(min(moments_us)), Month.of(max(moments_us))
    return [first] if first == last else sorted({Month.of(us) for us in moments_us})


def _missing(connection: Connection, table: Table, months: Sequence[Month]) -> list[Month]:
    known = list_partitions(connection, table)
    return [month for month in months if not any(partition.holds(month) for partition in known)]


def _add(connection: Connection, table: Table, months: Sequence[Month]) -> list[str]:
    with _as_owner():
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(f"LOCK TABLE ONLY {table.name} IN SHARE UPDATE EXCLUSIVE MODE"))
        # Asked again under the lock: somebody else may just have added them.
        added = [_add_month(connection, table, month) for month in _missing(connection, table, months)]
        connection.execute(text("RESET lock_timeout"))
    return added


@contextmanager
def _as_owner() -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise NotOwnerError(_NOT_OWNER) from error
        raise


def _add_month(connection: Connection, table: Table, month: Month) -> str:
    """Made first and attached then: that needs the weakest lock on the table that there is for this."""
    name = f"{table.name}_{month}"
    like = "INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS"
    connection.execute(text(f"CREATE TABLE {name} (LIKE {table.name} {like}) WITH ({_STORAGE})"))
    bounds = f"FROM ({month.start_us}) TO ({month.after(1).start_us})"
    connection.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    return name
