"""A late event looks at the mails after it, and at what the person was just before it: not at all that the person ever got."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from service.alerting.counting import Cell, History
from service.model.moments import to_us
from service.model.words import Phase
from service.store.attempts import load_before, load_later, load_taken
from service.store.database import Database
from tests.pipeline.worlds import START, database_at, event, hard, put

_MINUTE_US = 60_000_000


def _us(minutes: int) -> int:
    return to_us(START) + minutes * _MINUTE_US


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """One person with a delivery a minute, a hard bounce after the thirtieth and a mail that came back."""
    database = database_at(database_url)
    mails = [event(minutes=minute, message=f"m{minute}") for minute in range(60) if minute != 30]
    put(database, [*mails, hard(minutes=30, message="m30")])
    put(database, [hard(minutes=65, message="m59", phase=Phase.ASYNC)])
    yield database
    database.close()


def _person(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT id FROM recipients")).scalar_one())


def test_only_later_mails_are_read(database: Database) -> None:
    with database.read() as connection:
        later = list(load_later(connection, {_person(database): _us(57)}))
    cells = {Cell.WARM_DELIVERED: 2, Cell.REPLACED: 1, Cell.WARM_HARD: 1}  # 57, 58; 59, which came back at 65
    assert {cell: [item.cell for item in later].count(cell) for cell in cells} == cells
    assert len(later) == sum(cells.values())


@pytest.mark.parametrize(
    ("minutes", "history"),
    [
        (0, History()),
        (30, History(_us(29), 0)),
        (31, History(_us(29), _us(30))),
        (32, History(_us(31), 0)),  # a bounce that a delivery followed is over
        (65, History(_us(58), 0)),  # what came back was never delivered
    ],
)
def test_what_somebody_was_before_is_found_without_their_history(database: Database, minutes: int, history: History) -> None:
    person = _person(database)
    with database.read() as connection:
        assert load_before(connection, {person: _us(minutes)}) == {person: history}


def test_a_mail_that_came_back_is_found_where_it_was_taken(database: Database) -> None:
    person = _person(database)
    with database.read() as connection:
        assert load_taken(connection, [(person, "m59", _us(65)), (person, "m12", _us(5))]) == {person: _us(59)}
