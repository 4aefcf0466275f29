"""Events, recipients and roll-ups are a fold that is equal for any order of arrival and any repetition."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from service.alerting.counting import Cell
from service.model.events import Event
from service.model.words import EventKind, Phase, ReportedType
from service.store.database import Database
from tests.pipeline.worlds import database_at, event, hard, picture, put

_PEOPLE = ("anna@steel.example", "bert@steel.example", "cleo@gmx.example")


def _events() -> st.SearchStrategy[Event]:
    return st.builds(
        event,
        st.sampled_from(_PEOPLE),
        kind=st.sampled_from([EventKind.DELIVERED, EventKind.BOUNCED, EventKind.OPENED, EventKind.DEFERRED, EventKind.REJECTED]),
        minutes=st.integers(0, 240),
        message=st.sampled_from(["m1", "m2", "m3"]),
        reported=st.sampled_from([ReportedType.HARD, ReportedType.SOFT]),
        phase=st.sampled_from([Phase.SYNC, Phase.ASYNC]),
    )


@st.composite
def _arrivals(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """A stream, and the same stream in another order, with repeats, cut into batches elsewhere."""
    stream = draw(st.lists(_events(), min_size=1, max_size=12))
    shuffled = list(draw(st.permutations(stream + draw(st.lists(st.sampled_from(stream), max_size=4)))))
    size = draw(st.integers(1, 5))
    return stream, [shuffled[start : start + size] for start in range(0, len(shuffled), size)]


def _empty(database: Database) -> None:
    kept = ("events", "recipients", "domain_hourly", "due_checks", "recipient_domains")
    with database.write() as connection:
        for table in kept if database.is_sqlite else (*kept, "event_keys"):
            connection.execute(text(f"DELETE FROM {table}"))


def _recorded(database: Database, batches: Sequence[Sequence[Event]]) -> dict[str, list[tuple[object, ...]]]:
    _empty(database)
    for batch in batches:
        put(database, batch)
    return picture(database)


def test_any_order_and_any_repetition_gives_the_same_tables(database_url: str) -> None:
    database = database_at(database_url)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(_arrivals())
    def same_tables(arrivals: tuple[list[Event], list[list[Event]]]) -> None:
        stream, batches = arrivals
        in_order = sorted(stream, key=lambda item: str(item.occurred_at))
        assert _recorded(database, [in_order]) == _recorded(database, batches)

    same_tables()
    database.close()


def _cells(database: Database) -> list[Cell]:
    with database.read() as connection:
        return [Cell(cell) for (cell,) in connection.execute(text("SELECT cell FROM events ORDER BY occurred_us, kind DESC"))]


def test_a_person_counts_once_until_delivered_to_again(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [event(minutes=0), hard(minutes=60), hard(minutes=61), event(minutes=62), hard(minutes=63)])

    assert _cells(database) == [Cell.COLD_DELIVERED, Cell.WARM_HARD, Cell.REPEAT_HARD, Cell.COLD_DELIVERED, Cell.WARM_HARD]
    database.close()


def test_a_late_delivery_moves_a_counted_bounce_to_the_warm_cell(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [hard(minutes=60, message="m2")])
    assert _cells(database) == [Cell.COLD_HARD]

    put(database, [event(minutes=0)])

    assert _cells(database) == [Cell.COLD_DELIVERED, Cell.WARM_HARD]
    with database.read() as connection:
        rows = connection.execute(text("SELECT hour, warm_k, cold_k FROM domain_hourly ORDER BY hour")).all()
    assert [(warm_k, cold_k) for _hour, warm_k, cold_k in rows] == [(0, 0), (1, 0)]
    database.close()


def test_an_async_bounce_replaces_its_own_messages_delivery(database_url: str) -> None:
    """One mail is one attempt, though the server took it first."""
    database = database_at(database_url)
    put(database, [event(minutes=0, message="m1"), event(minutes=5, message="m2")])

    put(database, [hard(minutes=30, message="m2", phase=Phase.ASYNC)])

    assert _cells(database) == [Cell.COLD_DELIVERED, Cell.REPLACED, Cell.WARM_HARD]
    database.close()


def test_a_test_source_is_in_no_rate_and_teaches_nothing_about_people(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [event(minutes=0), hard(minutes=1, message="m2")], source="trial", test=True)

    seen = picture(database)
    assert seen["domain_hourly"] == []
    assert [row[1:5] for row in seen["recipients"]] == [(0, 0, 0, 0)]
    database.close()


def test_a_repeat_bounce_still_asks_for_a_check(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [hard(minutes=0)])
    with database.write() as connection:
        connection.execute(text("DELETE FROM due_checks"))

    put(database, [hard(minutes=10, message="m2")])

    with database.read() as connection:
        assert connection.execute(text("SELECT domain FROM due_checks")).scalars().all() == ["steel.example"]
    database.close()
