"""Do the migrations give the tables that the program was written for, on both databases?"""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from service.model.errors import SchemaOutdatedError
from service.store import schema
from service.store.database import Database
from service.store.source_tables import source_alerts

_MIGRATIONS = Path(__file__).parents[2] / "migrations"


def test_up_down_and_up_again_leaves_nothing_behind(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    schema.migrate(database, "base")
    with database.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
        assert inspect(connection).get_view_names() == []

    assert schema.migrate(database) == (None, schema.head_revision())
    database.close()


def test_the_migrations_add_up_to_the_tables(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
        differences = compare_metadata(context, source_alerts.metadata)
    assert differences == []
    database.close()


def _is_ours(_item: object, name: str | None, _kind: str, _reflected: object, _other: object) -> bool:
    return name != "alembic_version"


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
    with pytest.raises(SchemaOutdatedError, match="newer than this program"):
        schema.check(database)
    database.close()


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    assert schema.migrate(database) == (schema.head_revision(), schema.head_revision())
    database.close()
