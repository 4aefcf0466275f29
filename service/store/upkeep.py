"""Can the database keep its tables small and its writes even: vacuum, checkpoints, partitions, the log of SQLite?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from service.store import partitions
from service.store.database import Database

_POSTGRES = """
SELECT current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on',
    (SELECT setting::bigint * 1048576 FROM pg_settings WHERE name = 'max_wal_size'),
    (SELECT setting::bigint FROM pg_settings WHERE name = 'checkpoint_timeout')
"""
_SINCE_17 = 170_000
_CHECKPOINTS = "SELECT checkpoints_timed, checkpoints_req FROM pg_stat_bgwriter"
_CHECKPOINTS_17 = "SELECT num_timed, num_requested FROM pg_stat_checkpointer"
_TABLES = """
SELECT s.relname, s.n_live_tup, s.n_dead_tup, coalesce('autovacuum_enabled=false' = ANY (c.reloptions), false)
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = current_schema() ORDER BY s.relname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableUpkeep:
    """How one table stands."""

    name: str
    live_rows: int
    dead_rows: int
    is_left_out: bool  # autovacuum never comes to it


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresUpkeep:
    """What PostgreSQL does for its tables."""

    vacuums: bool
    max_wal_bytes: int
    checkpoint_seconds: int
    checkpoints_timed: int
    checkpoints_forced: int
    tables: tuple[TableUpkeep, ...]
    missing_partitions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteUpkeep:
    """The files of SQLite."""

    log_bytes: int
    pages: int
    free_pages: int


def load_postgres_upkeep(connection: Connection, now_us: int) -> PostgresUpkeep:
    """What PostgreSQL says of itself."""
    vacuums, max_wal_bytes, seconds = connection.execute(text(_POSTGRES)).one()
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    timed, forced = connection.execute(text(_CHECKPOINTS_17 if version >= _SINCE_17 else _CHECKPOINTS)).one()
    return PostgresUpkeep(
        vacuums=vacuums,
        max_wal_bytes=max_wal_bytes,
        checkpoint_seconds=seconds,
        checkpoints_timed=timed,
        checkpoints_forced=forced,
        tables=tuple(_tables(connection)),
        missing_partitions=tuple(partitions.missing_ahead(connection, now_us)),
    )


def _tables(connection: Connection) -> Iterator[TableUpkeep]:
    for name, live, dead, is_left_out in connection.execute(text(_TABLES)):
        yield TableUpkeep(name=name, live_rows=live, dead_rows=dead, is_left_out=is_left_out)


def load_sqlite_upkeep(database: Database) -> SqliteUpkeep:
    """How large its log is, and how much of its file is free."""
    log = Path(f"{database.url.database}-wal")
    with database.read() as connection:
        pages, free = (connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "freelist_count"))
    return SqliteUpkeep(log_bytes=log.stat().st_size if log.is_file() else 0, pages=pages, free_pages=free)
