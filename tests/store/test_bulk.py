"""Whatever a column may hold reaches PostgreSQL in an array and comes back as it was; keys are claimed once, and ids given once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from service.store import bulk, schema
from service.store.database import Database
from service.store.kept_tables import event_keys
from service.store.tables import events, recipients
from tests.e2e.serving import wait_until

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["NULL", "{}", '"', "\\", "\n", ","]
)
_ROWS = st.tuples(
    _TEXTS,
    st.none() | _TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.binary(min_size=16, max_size=16),
)
_COLUMNS = ("domain", "diagnostic", "occurred_us", "reported_us", "suppressed_by_esp", "event_key")


def _given_back(connection: Connection, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    names = ", ".join(_COLUMNS)
    return [tuple(row) for row in bulk.select_for(connection, events, _COLUMNS, rows, f"SELECT {names} FROM wanted")]


def test_arrays_hold_what_rows_held(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as connection:
        connection.execute(text("SELECT 1"))

        @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(_ROWS, min_size=1, max_size=6))
        def same_rows(rows: list[tuple[Any, ...]]) -> None:
            assert _given_back(connection, rows) == rows

        same_rows()
    database.close()


def test_a_question_about_nothing_finds_nothing(database_url: str) -> None:
    database = Database(database_url)
    with database.read() as connection:
        assert bulk.select_for(connection, events, ("domain",), [], "SELECT domain FROM wanted") == []
        assert bulk.claim(connection, events, ("domain",), []) == []
    database.close()


@pytest.fixture
def migrated(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL with our tables."""
    database = Database(postgres_url)
    schema.migrate(database)
    yield database
    database.close()


_MANY = 60  # enough to be hoped for


def _claimed(connection: Connection, numbers: range) -> list[int]:
    rows = [(number.to_bytes(16, "big"), 1) for number in numbers]
    return [int.from_bytes(key, "big") for key in bulk.claim(connection, event_keys, ("event_key", "received_us"), rows)]


def test_a_key_is_claimed_once_whether_most_are_new_or_known(migrated: Database) -> None:
    wanted = [range(_MANY), range(_MANY // 2, 2 * _MANY), range(2 * _MANY), range(3 * _MANY), range(3 * _MANY, 4 * _MANY), range(2)]
    given: list[int] = []
    for numbers in wanted:
        with migrated.write() as connection:
            found = _claimed(connection, numbers)
        assert set(found) == set(numbers) - set(given)
        given += found
    with migrated.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM event_keys")).scalar_one() == len(given) == 4 * _MANY


def test_hope_comes_back_after_keys_that_were_known(migrated: Database) -> None:
    """Each claim that may meet a known key is careful; after some of them the next one is not, and is right as well."""
    with migrated.write() as connection:
        _claimed(connection, range(_MANY))
        for number in range(30):
            start = number * _MANY
            assert len(_claimed(connection, range(start, start + 2 * _MANY))) == _MANY


_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def test_who_claims_the_same_keys_at_once_waits_and_gets_the_others(migrated: Database) -> None:
    def second() -> list[int]:
        with migrated.write() as connection:
            return _claimed(connection, range(1, _MANY + 1))

    def someone_waits() -> bool:
        with migrated.read() as connection:
            return bool(connection.execute(_WAITING).scalar_one())

    with ThreadPoolExecutor(1) as pool:
        with migrated.write() as connection:
            assert len(_claimed(connection, range(_MANY))) == _MANY
            other = pool.submit(second)
            wait_until(someone_waits, "the second one waits for the first")
        assert other.result(timeout=30) == [_MANY]


def test_ids_are_given_once_and_go_on_after_rows_that_are_gone(database_url: str) -> None:
    database = Database(database_url)
    schema.migrate(database)
    columns = [column.name for column in recipients.columns]
    given: list[int] = []
    for _ in range(3):
        with database.write() as connection:
            ids = bulk.next_ids(connection, recipients, 3)
            bulk.insert(connection, recipients, columns, [(id_, f"p{id_}@a.example", "a.example", 0, 0, 0, 0, 0, 0, b"") for id_ in ids])
        with database.write() as connection:
            connection.execute(recipients.delete())
        given += ids
    assert given == sorted(set(given))
    database.close()
