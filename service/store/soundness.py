"""Does a database keep what it commits, even through a power cut, and did a worker look in lately?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from service.store import bulk
from service.store.database import Database
from service.store.tables import leases

_POSTGRES_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """What a database says about itself."""

    product: str
    version: tuple[int, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    now_us: int | None = None  # its own clock; None where it has none, as SQLite


def is_there(database: Database) -> bool:
    """False for a SQLite file that nobody has made yet: opening it would make it."""
    return not database.is_sqlite or Path(database.url.database or "").is_file()


def load_soundness(connection: Connection) -> Soundness:
    """Product, version and the settings that durability hangs on."""
    if bulk.is_postgresql(connection):
        return _of_postgresql(connection)
    version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    settings = {name: str(connection.execute(text(f"PRAGMA {name}")).scalar_one()) for name in ("journal_mode", "synchronous")}
    return Soundness(product="SQLite", version=tuple(int(part) for part in version.split(".")), settings=settings)


def _of_postgresql(connection: Connection) -> Soundness:
    settings = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in _POSTGRES_SETTINGS}
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    now_us = connection.execute(text("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")).scalar_one()
    return Soundness(product="PostgreSQL", version=divmod(number, 10_000), settings=settings, now_us=now_us)


def has_table(connection: Connection, name: str) -> bool:
    """True where there is such a table."""
    return inspect(connection).has_table(name)


def newest_lease_us(connection: Connection) -> int | None:
    """Until when a worker holds a lease, or last did; None where none ever did."""
    return connection.execute(select(func.max(leases.c.until_us))).scalar()
