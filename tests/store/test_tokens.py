"""Do tokens open what they should, once made and until revoked?"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from service.model.words import Role
from service.store import tokens
from service.store.database import Database
from service.store.tables import metadata
from service.store.token_tables import api_tokens

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with tables, on SQLite and PostgreSQL."""
    opened = Database(database_url)
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


def test_a_token_is_found_by_its_text_and_kept_as_a_digest(database: Database) -> None:
    with database.write() as connection:
        text = tokens.create(connection, "ops", Role.OPERATOR, NOW)
        found = tokens.find(connection, text)
        stored = connection.execute(api_tokens.select()).one()
    assert found is not None
    assert (found.name, found.role, found.revoked_us) == ("ops", Role.OPERATOR, None)
    assert text not in repr(stored)
    assert len(text) > 40


@pytest.mark.parametrize("text", ["", "hopp_x", "\udcff", "' OR 1=1 --", "\x00"])
def test_no_other_text_is_a_token(database: Database, text: str) -> None:
    with database.write() as connection:
        tokens.create(connection, "ops", Role.READER, NOW)
        assert tokens.find(connection, text) is None


def test_a_revoked_token_is_not_found_and_cannot_be_revoked_again(database: Database) -> None:
    with database.write() as connection:
        text = tokens.create(connection, "ops", Role.READER, NOW)
        assert tokens.revoke(connection, "ops", NOW)
        assert tokens.find(connection, text) is None
        assert not tokens.revoke(connection, "ops", NOW)
        assert not tokens.revoke(connection, "nobody", NOW)
        assert [(token.name, token.revoked_us is None) for token in tokens.list_all(connection)] == [("ops", False)]


@pytest.mark.parametrize("name", ["ops", "x" * 100])
def test_the_name_of_a_revoked_token_is_free_again(database: Database, name: str) -> None:
    with database.write() as connection:
        for _ in range(3):
            tokens.create(connection, name, Role.READER, NOW)
            assert tokens.revoke(connection, name, NOW)
        assert tokens.find(connection, tokens.create(connection, name, Role.READER, NOW)) is not None
        listed = tokens.list_all(connection)
    assert [(token.name == name, token.revoked_us is None) for token in listed] == [(False, False)] * 3 + [(True, True)]
    assert [token.name for token in listed if not token.name.startswith(name[:70]) or len(token.name) > 100] == []


@pytest.mark.parametrize("name", ["ops", "", "x" * 101])
def test_a_name_is_given_once_and_has_a_length(database: Database, name: str) -> None:
    with database.write() as connection:
        tokens.create(connection, "ops", Role.READER, NOW)
        with pytest.raises(tokens.TokenNameError):
            tokens.create(connection, name, Role.READER, NOW)
