"""What a worker does when something fails: it waits, longer each time, and goes on where it was."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal

import pytest
from sqlalchemy import text

from service.bootstrap import Hopp, build
from service.settings import load_settings
from service.store import schema
from tests.faults.load import event_body
from tests.inbox.deliveries import delivery

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


class _Pauses(Signal):
    """Stops the worker after some pauses; at each something happens instead of time going by."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        super().__init__()
        self._happenings = list(happenings)
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        self._happenings.pop(0)()
        if not self._happenings:
            self.set()
        return self.is_set()


@pytest.fixture
def hopp(tmp_path: Path) -> Iterator[Hopp]:
    """Parts whose database and inbox nobody has made yet."""
    made = build(load_settings({"HOPP_DATABASE": f"sqlite:///{tmp_path}/var/hopp.sqlite"}, tmp_path), now=lambda: NOW)
    yield made
    made.inbox.close()
    made.database.close()


def _nothing() -> None:
    pass


def _events(hopp: Hopp) -> int:
    with hopp.database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM events")).scalar_one())


def test_a_worker_works_until_it_is_told_to_stop(hopp: Hopp) -> None:
    schema.migrate(hopp.database)
    hopp.inbox.prepare()
    hopp.inbox.append(delivery(event_body("one")))
    pauses = _Pauses(lambda: hopp.inbox.append(delivery(event_body("two"))), _nothing)
    hopp.worker(pauses).run()
    assert (_events(hopp), hopp.inbox.state().waiting) == (2, 0)
    assert pauses.seconds == [0.2, 0.2]


def test_a_worker_waits_for_its_inbox_longer_each_time(hopp: Hopp) -> None:
    schema.migrate(hopp.database)
    pauses = _Pauses(_nothing, _nothing, hopp.inbox.prepare, lambda: hopp.inbox.append(delivery(event_body("one"))), _nothing)
    hopp.worker(pauses).run()
    assert _events(hopp) == 1
    assert pauses.seconds == [1, 2, 5, 0.2, 0.2]


def test_a_worker_waits_for_its_database_and_keeps_the_batch(hopp: Hopp, tmp_path: Path) -> None:
    hopp.inbox.prepare()
    hopp.inbox.append(delivery(event_body("one")))
    in_the_way = tmp_path / "var/hopp.sqlite"
    in_the_way.mkdir()

    def mend() -> None:
        in_the_way.rmdir()
        schema.migrate(hopp.database)

    pauses = _Pauses(_nothing, mend, _nothing)
    hopp.worker(pauses).run()
    assert _events(hopp) == 1
    assert pauses.seconds == [1, 2, 0.2]


def test_a_worker_outlives_what_nobody_thought_of(hopp: Hopp) -> None:
    hopp.inbox.prepare()
    hopp.inbox.append(delivery(event_body("one")))
    pauses = _Pauses(lambda: schema.migrate(hopp.database), _nothing)  # until then there are no tables
    hopp.worker(pauses).run()
    assert _events(hopp) == 1
    assert pauses.seconds == [1, 0.2]


def test_a_fault_while_the_database_is_away_is_told_without_a_traceback(
    hopp: Hopp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schema.migrate(hopp.database)
    hopp.inbox.prepare()

    def vanish() -> datetime:
        hopp.database.close()
        (tmp_path / "var/hopp.sqlite").rename(tmp_path / "aside")
        (tmp_path / "var/hopp.sqlite").mkdir()
        raise ZeroDivisionError

    pauses = _Pauses(_nothing)
    replace(hopp.worker(pauses), now=vanish).run()
    assert pauses.seconds == [1]
    assert "Traceback" not in caplog.text


def test_a_worker_remembers_since_when_it_uses_its_rules(hopp: Hopp) -> None:
    schema.migrate(hopp.database)
    hopp.inbox.prepare()
    worker = hopp.worker(Signal())
    for _ in range(2):
        worker.step()
    with hopp.database.read() as connection:
        versions = connection.execute(text("SELECT version FROM rule_sets WHERE replayed_us IS NULL")).scalars().all()
    assert versions == [hopp.labels().classifier.ruleset.version]


def test_a_worker_says_when_it_starts_goes_on_after_a_failure_and_stops(hopp: Hopp, capsys: pytest.CaptureFixture[str]) -> None:
    schema.migrate(hopp.database)
    pauses = _Pauses(hopp.inbox.prepare, _nothing)
    hopp.worker(pauses).run()
    written = "".join(capsys.readouterr())
    events = ["worker_started", "step_failed_retrying", "step_succeeded_again", "worker_stopped"]
    places = [written.find(event) for event in events]
    assert places == sorted(places)
    assert -1 not in places


def test_a_worker_that_is_stopped_lets_another_one_evaluate_at_once(hopp: Hopp) -> None:
    schema.migrate(hopp.database)
    hopp.inbox.prepare()
    first, second = hopp.worker(_Pauses(_nothing)), hopp.worker(Signal())
    first.run()
    second.step()
    with hopp.database.read() as connection:
        assert connection.execute(text("SELECT holder FROM leases")).scalar() == second.evaluator.holder


def test_a_worker_stops_though_its_lease_cannot_be_given_up(hopp: Hopp, tmp_path: Path) -> None:
    schema.migrate(hopp.database)
    hopp.inbox.prepare()

    def vanish() -> None:
        hopp.database.close()
        (tmp_path / "var/hopp.sqlite").rename(tmp_path / "aside")
        (tmp_path / "var/hopp.sqlite").mkdir()

    hopp.worker(_Pauses(vanish)).run()
