"""Do the tables stay fast: are they vacuumed, are checkpoints even, are the next months ready, does what is old leave?"""

from collections.abc import Iterator
from datetime import datetime

from service.bootstrap import Hopp
from service.cli.findings import Finding, fail, ok, warn
from service.model.errors import HoppError
from service.model.moments import to_us
from service.settings import Keep
from service.store import schema, soundness
from service.store.database import Database
from service.store.upkeep import PostgresUpkeep, SqliteUpkeep, TableUpkeep, load_postgres_upkeep, load_sqlite_upkeep

_PAGE = "docs/database.md"
_ENOUGH_CHECKPOINTS = 20  # before that, a restore or an import speaks louder than the daily load
_SHORTEST_SECONDS = 300
_MANY_DEAD, _DEAD_SHARE = 50_000, 0.3
_LARGE_LOG_BYTES = 128_000_000  # eight times what a checkpoint leaves
_MANY_FREE_PAGES, _FREE_SHARE = 25_000, 0.5


def examine_upkeep(hopp: Hopp, now: datetime) -> Iterator[Finding]:
    """What keeps the main database fast, where its tables fit this program."""
    database = hopp.database
    if not soundness.is_there(database) or not database.answers():
        return
    try:
        schema.check(database)
    except HoppError:
        return  # told already
    yield from _upkeep(database, now)
    yield _kept(hopp.settings.keep)


def _upkeep(database: Database, now: datetime) -> Iterator[Finding]:
    if database.is_sqlite:
        yield from sqlite_findings(load_sqlite_upkeep(database))
        return
    with database.read() as connection:
        found = load_postgres_upkeep(connection, to_us(now))
    yield from postgres_findings(found)


def postgres_findings(found: PostgresUpkeep) -> Iterator[Finding]:
    """What the figures of PostgreSQL mean."""
    yield _vacuum(found)
    yield _checkpoints(found)
    if found.missing_partitions:
        missing = ", ".join(found.missing_partitions)
        yield warn("partitions", f"not there yet: {missing}", "A worker adds them once a day; or: python -m service migrate")
    else:
        yield ok("partitions", "this month and the next ones are ready")


def _vacuum(found: PostgresUpkeep) -> Finding:
    if not found.vacuums:
        next_step = f"Set autovacuum and track_counts to on: without them every table and index grows for ever ({_PAGE})."
        return fail("vacuum", "autovacuum is off", next_step)
    left_out = [table.name for table in found.tables if table.is_left_out]
    if left_out:
        return warn("vacuum", f"autovacuum is off for {', '.join(left_out)}", f"ALTER TABLE … RESET (autovacuum_enabled) ({_PAGE})")
    swollen = [f"{table.name} ({table.dead_rows} of {table.live_rows + table.dead_rows})" for table in found.tables if _is_swollen(table)]
    if swollen:
        next_step = f"Look for a transaction that stays open (pg_stat_activity), or give autovacuum more workers ({_PAGE})."
        return warn("vacuum", f"many dead rows in {', '.join(swollen)}", next_step)
    return ok("vacuum", "autovacuum keeps up")


def _is_swollen(table: TableUpkeep) -> bool:
    return table.dead_rows > max(_MANY_DEAD, _DEAD_SHARE * (table.live_rows + table.dead_rows))


def _checkpoints(found: PostgresUpkeep) -> Finding:
    size = f"max_wal_size = {found.max_wal_bytes / 2**30:.1f} GB, checkpoint_timeout = {found.checkpoint_seconds} s"
    if found.checkpoints_forced > max(_ENOUGH_CHECKPOINTS, found.checkpoints_timed):
        forced = f"{found.checkpoints_forced} of {found.checkpoints_timed + found.checkpoints_forced} checkpoints were forced"
        return warn("checkpoints", f"{forced}; {size}", f"Double max_wal_size: each forced one writes whole pages again ({_PAGE}).")
    if found.checkpoint_seconds < _SHORTEST_SECONDS:
        return warn("checkpoints", size, f"Set checkpoint_timeout to 5 minutes or more, and max_wal_size to match ({_PAGE}).")
    return ok("checkpoints", size)


def sqlite_findings(found: SqliteUpkeep) -> Iterator[Finding]:
    """What the files of SQLite mean."""
    log = f"the log holds {found.log_bytes / 1e6:.0f} MB"
    if found.log_bytes > _LARGE_LOG_BYTES:
        next_step = "Somebody reads in one long transaction (a dashboard?) and no checkpoint can end: let it read in short ones."
        yield warn("checkpoints", log, next_step)
    else:
        yield ok("checkpoints", log)
    if found.free_pages > max(_MANY_FREE_PAGES, _FREE_SHARE * found.pages):
        share = found.free_pages / found.pages
        yield warn("file", f"{share:.0%} of it is free", "It is used again; to give it back: stop Hopp, then sqlite3 FILE VACUUM")


def _kept(keep: Keep) -> Finding:
    parts = {"raw deliveries": keep.archive_days, "events": keep.events_days, "hours": keep.hourly_days}
    told = ", ".join(f"{name} {f'{days} days' if days else 'for ever'}" for name, days in parts.items())
    if not keep.archive_days:
        return warn("kept", told, "Raw deliveries hold all that ESPs write about people: set archive_days in [retain] (docs/retention.md).")
    return ok("kept", told)
