"""Do the database's tables fit this program, and how are they brought up to it?"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from service.model.errors import SchemaOutdatedError
from service.store import bulk
from service.store.database import Database

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_LOCK_TIMEOUT = "10s"
_LOCK_NUMBER = 7_310_577  # any number that nothing else in the database locks


def head_revision() -> str:
    """The revision that this program needs."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if head is None:
        message = f"{_MIGRATIONS} holds no migrations. Reinstall Hopp: the folder migrations/ belongs beside service/."
        raise SchemaOutdatedError(message)
    return head


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
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        message = (
            f"The tables of {database.described} are at revision {current}, newer than this program ({head}). Start the newer program."
        )
        raise SchemaOutdatedError(message)
    found = f"at revision {current}" if current else "not there yet"
    message = f"The tables of {database.described} are {found}; this program needs {head}. Run: python -m service migrate"
    raise SchemaOutdatedError(message)


def migrate(database: Database, target: str = "head") -> tuple[str | None, str | None]:
    """Bring the tables to a revision; returns the revision before and after. Several may call it at once: one does it."""
    with database.engine.connect() as connection:
        _lock(connection)
        before = current_revision(connection)
        if target == "head" and before == head_revision():
            _unlock(connection)
            return before, before
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        if target == "base" or (before is not None and target < before and target != "head"):
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)
        connection.commit()
        after = current_revision(connection)
        _unlock(connection)
    return before, after


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
