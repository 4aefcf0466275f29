"""What leaves because it was kept long enough? Step by step, each a short transaction, so that it may be broken off at any of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

import structlog

from service.model.errors import HoppError
from service.model.moments import DAY_US, HOUR_US, hour_of
from service.settings import Keep
from service.store import partitions, retention
from service.store.database import Connection, Database

log = structlog.get_logger()
_ROWS_AT_ONCE = 2_000
_STEPS_AT_ONCE = 10  # of the worker that evaluates: the next batch of webhooks waits for no more than these
_AGAIN_US = HOUR_US


class Kept(StrEnum):
    """What is kept for a time."""

    ARCHIVE = "archive"
    EVENTS = "events"
    HOURLY = "hourly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What is older than it may be."""

    what: Kept
    before_us: int
    rows: int
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step let go."""

    what: Kept
    rows: int
    partition: str | None = None


def limits(keep: Keep, now_us: int) -> dict[Kept, int]:
    """Before which moment each goes; what is kept for ever is left out."""
    days = {Kept.ARCHIVE: keep.archive_days, Kept.EVENTS: keep.events_days, Kept.HOURLY: keep.hourly_days}
    return {what: now_us - kept * DAY_US for what, kept in days.items() if kept}


def plan(database: Database, keep: Keep, now_us: int) -> list[Leaving]:
    """What `retain` would let go now."""
    with database.read() as connection:
        return [_leaving(connection, what, before_us) for what, before_us in limits(keep, now_us).items()]


def _leaving(connection: Connection, what: Kept, before_us: int) -> Leaving:
    if what is Kept.HOURLY:
        return Leaving(what=what, before_us=before_us, rows=retention.count_hours(connection, hour_of(before_us)))
    found = retention.find_leaving(connection, retention.TABLES[what.value], before_us)
    rows = retention.count_leaving(connection, found, before_us)
    return Leaving(what=what, before_us=before_us, rows=rows, partitions=tuple(part.name for part in found.partitions))


def retain(database: Database, keep: Keep, now_us: int) -> Iterator[Step]:
    """Let go of what is older than it may be, oldest first."""
    for what, before_us in limits(keep, now_us).items():
        if what is Kept.HOURLY:
            yield from _hours(database, hour_of(before_us))
            continue
        yield from _rows(database, what, before_us)
        if what is Kept.EVENTS and not database.is_sqlite:
            yield from _keys(database, before_us)


def _rows(database: Database, what: Kept, before_us: int) -> Iterator[Step]:
    table = retention.TABLES[what.value]
    with database.read() as connection:
        leaving = retention.find_leaving(connection, table, before_us)
    for partition in leaving.partitions:
        with database.write() as connection:
            rows = retention.drop_partition(connection, table, partition)
        yield Step(what=what, rows=rows, partition=partition.name)
    delete = retention.delete_events if what is Kept.EVENTS else retention.delete_deliveries
    rows = _ROWS_AT_ONCE if leaving.rows_from else 0
    while leaving.rows_from and rows == _ROWS_AT_ONCE:
        with database.write() as connection:
            rows = delete(connection, leaving.rows_from, before_us, _ROWS_AT_ONCE)
        if rows:
            yield Step(what=what, rows=rows)


def _keys(database: Database, before_us: int) -> Iterator[Step]:
    """After the events: a key that is left over keeps an event from coming twice, an event without its key would not."""
    with database.read() as connection:
        oldest_us = retention.oldest_kept_us(connection, before_us)
    block: int | None = 0
    while block is not None:
        with database.write() as connection:
            deleted, block = retention.delete_keys(connection, oldest_us, block)
        if deleted:
            yield Step(what=Kept.EVENTS, rows=0)


def _hours(database: Database, before_hour: int) -> Iterator[Step]:
    while True:
        with database.read() as connection:
            oldest = retention.oldest_hour(connection)
        if oldest is None or oldest >= before_hour:
            return
        with database.write() as connection:
            rows = retention.delete_hours(connection, oldest, before_hour)
        yield Step(what=Kept.HOURLY, rows=rows)


@dataclass(slots=True)
class Housekeeper:
    """Has the months ahead ready, and once a day lets go of what is too old, a little at a time; whoever evaluates asks it each minute."""

    database: Database
    keep: Keep
    _begun_us: int = 0
    _steps: Iterator[Step] = field(default_factory=lambda: iter(()))

    def look(self, now_us: int) -> None:
        """Do some of what there is to do; what cannot be done now (somebody reads the table, say) is tried again in an hour."""
        try:
            self._look(now_us)
        except HoppError as error:
            log.warning("retention_put_off", error=str(error), again_in_seconds=_AGAIN_US // 1_000_000)
            self._steps = iter(())
            self._begun_us = now_us - DAY_US + _AGAIN_US

    def _look(self, now_us: int) -> None:
        if not 0 <= now_us - self._begun_us < DAY_US:
            self._begun_us = now_us
            added = partitions.ensure_ahead(self.database, now_us)
            if added:
                log.info("partitions_added", partitions=added)
            self._steps = retain(self.database, self.keep, now_us)
        for step in islice(self._steps, _STEPS_AT_ONCE):
            log.info("retained", what=step.what, rows=step.rows, partition=step.partition)
