"""Whatever a column may hold reaches PostgreSQL in an array and comes back as it was."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from service.store import bulk
from service.store.database import Database
from service.store.tables import events

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
        assert bulk.claim(connection, events, ("domain",), [], returning=("domain",)) == []
    database.close()
