"""Does every row find its partition, and does what is too old leave without a trace in the counts?"""

from collections.abc import Iterator
from threading import Thread
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from service.model.moments import DAY_US, to_us
from service.store import partitions, schema
from service.store.database import Database
from service.store.partitions import Month, NotOwnerError
from service.store.tables import events
from tests.pipeline.worlds import START, event, put

NOW_US = to_us(START)
_MONTH_MINUTES = 31 * 24 * 60


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    schema.migrate(opened)
    yield opened
    opened.close()


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return [part.name for part in partitions.list_partitions(connection, events)]


def test_months_follow_each_other_over_the_new_year() -> None:
    assert [str(Month(2026, 11).after(number)) for number in (-11, 0, 1, 2)] == ["2025_12", "2026_11", "2026_12", "2027_01"]
    assert Month.of(Month(2026, 3).start_us) == Month(2026, 3)
    assert Month.of(Month(2026, 3).start_us - 1) == Month(2026, 2)


def test_the_months_ahead_are_made_once(database: Database) -> None:
    made = partitions.ensure_ahead(database, NOW_US)
    assert made == [f"{table}_2026_{month}" for table in ("events", "deliveries") for month in ("03", "04", "05")]
    assert partitions.ensure_ahead(database, NOW_US) == []
    with database.read() as connection:
        assert partitions.missing_ahead(connection, NOW_US) == []
        assert partitions.missing_ahead(connection, NOW_US + 31 * DAY_US) == ["events_2026_06", "deliveries_2026_06"]


def test_events_of_any_month_are_taken(database: Database) -> None:
    """History from a file may be years old."""
    put(database, [event(minutes=-number * 7 * _MONTH_MINUTES, message=f"m{number}") for number in range(4)])
    assert _names(database) == ["events_2024_05", "events_2024_12", "events_2025_07", "events_2026_03"]


def test_an_event_that_comes_again_in_another_month_is_the_same(database: Database) -> None:
    """An event without a time of its own is filed at its receipt, which differs for each copy."""
    put(database, [event()])
    assert put(database, [event()], lag_minutes=2 * _MONTH_MINUTES).kept == ()


def test_two_who_need_the_same_month_at_once_both_get_it(database: Database) -> None:
    def add() -> None:
        with database.write() as connection:
            partitions.ensure(connection, events, [NOW_US])

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names(database) == ["events_2026_03"]


def test_a_reader_in_a_long_transaction_holds_up_no_new_month(database: Database) -> None:
    with database.read() as reader:
        reader.execute(text("SELECT count(*) FROM events"))
        assert partitions.ensure_ahead(database, NOW_US) != []


def test_sqlite_has_no_partitions() -> None:
    assert partitions.ensure_ahead(Database("sqlite:///:memory:"), NOW_US) == []


def test_a_role_that_owns_no_table_is_told_who_has_to_do_it(database: Database, postgres_url: str) -> None:
    role = f"guest_{uuid4().hex}"
    with database.write() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    guest = Database(make_url(postgres_url).set(username=role).render_as_string(hide_password=False))
    with pytest.raises(NotOwnerError, match="python -m service migrate"):
        partitions.ensure_ahead(guest, NOW_US)
    guest.close()
    with database.write() as connection:
        connection.execute(text(f"DROP ROLE {role}"))
