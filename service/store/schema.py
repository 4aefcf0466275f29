"""Do the database's tables fit this program, and how are they brought up to it?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from service.model.errors import HoppError, SchemaOutdatedError
from service.store import bulk
from service.store.database import Database

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_LOCK_TIMEOUT = "10s"
_LOCK_NUMBER = 7_310_577  # any number that nothing else in the database locks


class SchemaBusyError(HoppError):
    """Somebody uses the tables for so long that they could not be changed."""


class SchemaNewerError(SchemaOutdatedError):
    """The tables were made by a newer program than this one."""


def head_revision() -> str:
    """The revision that this program needs."""
    head = _scripts().get_current_head()
    if head is None:
        message = f"{_MIGRATIONS} holds no migrations. Reinstall Hopp: the folder migrations/ belongs beside service/."
        raise SchemaOutdatedError(message)
    return head


def known_revisions() -> tuple[str, ...]:
    """All revisions that this program knows, the oldest first."""
    return tuple(sorted(script.revision for script in _scripts().walk_revisions()))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def check(database: Database) -> None:
    """Raise SchemaOutdatedError where the tables do not fit this program."""
    with database.read() as connection:
        current = current_revision(connection)
    head = head_revision()
    if current == head:
        return
    _refuse_newer(database, current)
    found = f"at revision {current}" if current else "not there yet"
    message = f"The tables of {database.described} are {found}; this program needs {head}. Run: python -m service migrate"
    raise SchemaOutdatedError(message)


def _refuse_newer(database: Database, current: str | None) -> None:
    if current is not None and current not in known_revisions():
        message = (
            f"The tables of {database.described} are at revision {current}, which this program does not know (its newest is "
            f"{head_revision()}). Start the newer program that made them."
        )
        raise SchemaNewerError(message)


def find_loss(database: Database, target: str) -> str | None:
    """The revision that the tables would go down from, which deletes what newer ones hold; None where nothing is lost."""
    with database.read() as connection:
        before = current_revision(connection)
    return before if before is not None and _is_below(target, before) else None


def _is_below(target: str, before: str | None) -> bool:
    return target == "base" or (before is not None and target < before and target != "head")


def migrate(database: Database, target: str = "head") -> tuple[str | None, str | None]:
    """Bring the tables to a revision; returns the revision before and after. Several may call it at once: one does it."""
    if target not in {"head", "base", *known_revisions()}:
        message = f"There is no revision {target!r}. Known: base, {', '.join(known_revisions())}, head."
        raise SchemaOutdatedError(message)
    with database.connect() as connection, _locked(connection, database):
        before = current_revision(connection)
        _refuse_newer(database, before)
        if target == "head" and before == head_revision():
            return before, before
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        if _is_below(target, before):
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)
        connection.commit()
        after = current_revision(connection)
    return before, after


@contextmanager
def _locked(connection: Connection, database: Database) -> Iterator[None]:
    _lock(connection)
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise database.unavailable(error) from error
        message = (
            f"The tables of {database.described} are in use: one could not be locked within {_LOCK_TIMEOUT}. Nothing was changed. "
            "Let long queries end (a dashboard, a backtest, pg_dump), then run it again: python -m service migrate"
        )
        raise SchemaBusyError(message) from error
    finally:
        connection.rollback()
        _unlock(connection)


def _lock(connection: Connection) -> None:
    """One migration at a time; and none that waits long for a table lock while everybody waits behind it."""
    if bulk.is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
        connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.commit()


def _unlock(connection: Connection) -> None:
    if bulk.is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK_NUMBER})
        connection.execute(text("RESET lock_timeout"))
        connection.commit()
