"""Does a database keep what it commits, even through a power cut, and did a worker look in lately?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text

from service.store import bulk
from service.store.alerts import NOBODY
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


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to evaluate: until when it was given, and whether its holder gave it up, as a worker does that is stopped."""

    until_us: int
    is_given_up: bool


def find_newest_lease(connection: Connection) -> Lease | None:
    """What a worker holds or last held; None where none ever did."""
    row = connection.execute(select(leases.c.until_us, leases.c.holder).order_by(leases.c.until_us.desc()).limit(1)).first()
    return Lease(row.until_us, row.holder == NOBODY) if row else None
