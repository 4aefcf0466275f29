"""Workers that meet the same people at once write what one of them alone would have written."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from service.alerting.policy import Policy
from service.model.events import Event
from service.pipeline.count import Counted, count
from service.pipeline.incoming import Incoming
from service.store import ingest
from service.store.database import Connection, Database
from service.store.ingest import RacedError, RecipientRow
from tests.pipeline.worlds import database_at, event, forget, hard, picture, put

_PEOPLE = range(80)  # more than a claim has to hold before it hopes that all are new
_WAVES = 6


def _wave(minutes: int, people: range = _PEOPLE) -> list[Event]:
    """One mail to each of them; every tenth comes back."""
    return [
        (event if number % 10 else hard)(f"p{number}@steel.example", minutes=minutes + number / 100, message=f"{minutes}-{number}")
        for number in people
    ]


@pytest.fixture
def database(postgres_url: str) -> Database:
    return database_at(postgres_url)


def _alone(database: Database, *waves: Sequence[Event]) -> dict[str, list[tuple[object, ...]]]:
    """What one worker would have written."""
    forget(database, "events", "recipients", "domain_hourly", "due_checks", "recipient_domains")
    for wave in waves:
        put(database, wave)
    return picture(database)


def test_people_whom_another_worker_met_first_are_counted_with_what_it_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(database, [event("somebody@else.example")])  # so that the source is known to both
    first, second = _wave(0, range(40)), _wave(60)
    others = [first]

    def overtaken(connection: Connection, new: Mapping[bytes, Incoming], known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
        counted = count(connection, new, known, policy)
        if others:
            put(database, others.pop())
        return counted

    with monkeypatch.context() as overtaking:
        overtaking.setattr("service.pipeline.record.count", overtaken)
        put(database, second)
    found = picture(database)

    assert not others
    assert found == _alone(database, [event("somebody@else.example")], first, second)
    database.close()


def test_two_at_once_write_what_one_alone_would(database: Database) -> None:
    waves = [_wave(10 * number) for number in range(_WAVES)]
    put(database, [event("somebody@else.example")])

    def work(own: Sequence[Sequence[Event]]) -> None:
        for wave in own:
            while True:
                try:
                    put(database, wave)
                    break
                except RacedError:
                    continue

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (waves[::2], waves[1::2])))
    found = picture(database)

    assert len(found["events"]) == 1 + _WAVES * len(_PEOPLE)
    assert found == _alone(database, [event("somebody@else.example")], list(chain.from_iterable(waves)))
    database.close()


def test_overtaken_people_whom_somebody_holds_are_not_waited_for(database: Database) -> None:
    put(database, _wave(0, range(2)))
    with database.write() as holder:
        assert len(ingest.lock_recipients(holder, ["p1@steel.example"])) == 1
        with database.write() as connection, pytest.raises(RacedError):
            ingest.lock_overtaken(connection, {"p0@steel.example", "p1@steel.example"})
    with database.write() as connection:
        assert len(ingest.lock_overtaken(connection, {"p0@steel.example", "p1@steel.example"})) == 2
    database.close()
