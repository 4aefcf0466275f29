"""Do the migrations give the tables that the program was written for, on both databases?"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.schema import SchemaItem

from service.model.errors import SchemaOutdatedError
from service.store import kept_tables, reply_tables, schema, source_tables, tables, token_tables
from service.store.database import Database

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_OF_EACH_MODULE = (kept_tables, reply_tables, source_tables, token_tables)  # importing it makes its tables known
_APART = ("alembic_version", "ix_domain_hourly_hour_at")  # the second is over an expression that is another on each database
_PARTITION = re.compile(r"(events|deliveries)_(before_)?\d{4}_\d{2}")


def test_up_down_and_up_again_leaves_nothing_behind(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    schema.migrate(database, "base")
    with database.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
        assert inspect(connection).get_view_names() == []

    assert schema.migrate(database) == (None, schema.head_revision())
    database.close()


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index ix_domain_hourly_hour_at")
def test_the_migrations_add_up_to_the_tables(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _chosen(connection.dialect.name)})
        differences = compare_metadata(context, tables.metadata)
    assert differences == []
    database.close()


def _chosen(dialect: str) -> Callable[..., bool]:
    """What the tables say of this database; partitions are parts of a table that is compared."""

    def is_ours(item: SchemaItem, name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:  # noqa: FBT001 - Alembic's
        return name not in _APART and not _PARTITION.fullmatch(name or "") and item.info.get(tables.ONLY, dialect) == dialect

    return is_ours


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(_MIGRATIONS)).get_heads()) == 1


def test_an_empty_database_is_refused_with_the_command_to_run(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(SchemaOutdatedError, match="python -m service migrate"):
        schema.check(database)
    database.close()


def test_tables_newer_than_the_program_are_refused(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdatedError, match=r"which this program does not know .* Start the newer program"):
        schema.check(database)
    database.close()


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    assert schema.migrate(database) == (schema.head_revision(), schema.head_revision())
    database.close()
