"""The clock jumps ahead and back: nothing is lost or counted twice, and evaluation does not wait for a time that never comes."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event as Signal

import pytest
from sqlalchemy import text

from service.bootstrap import Hopp
from service.model.moments import DAY_US, SECOND_US, to_us
from tests.cli.installations import Clock, installation
from tests.faults.load import event_body, load_kept
from tests.inbox.deliveries import delivery

_DAY_SECONDS = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hopp(tmp_path: Path, clock: Clock) -> Iterator[Hopp]:
    made = installation(tmp_path, clock)
    yield made
    made.inbox.close()
    made.database.close()


def _lease(hopp: Hopp) -> tuple[str, int]:
    with hopp.database.read() as connection:
        holder, until_us = connection.execute(text("SELECT holder, until_us FROM leases")).one()
    return holder, until_us


def test_what_comes_while_the_clock_jumps_is_kept_once(hopp: Hopp, clock: Clock) -> None:
    worker = hopp.worker(Signal())
    jumps = (0, _DAY_SECONDS, -2 * _DAY_SECONDS, 0.5, -3_600, 400 * _DAY_SECONDS, -399 * _DAY_SECONDS)
    for number, jump in enumerate(jumps):
        clock.move(jump)
        sent = delivery(event_body(f"event-{number}"), received_at=clock())
        hopp.inbox.append(sent)
        clock.move(-jump / 2)  # it jumps again before the worker looks
        worker.step()
        clock.move(jump / 2)
        hopp.inbox.append(sent)  # as after a crash
        worker.step()

    kept = load_kept(hopp.database)
    assert (len(kept.events), kept.recorded, kept.counted) == (len(jumps),) * 3
    assert hopp.inbox.state().waiting == 0


def test_evaluation_goes_on_when_the_clock_was_set_back(hopp: Hopp, clock: Clock) -> None:
    worker = hopp.worker(Signal())
    clock.move(_DAY_SECONDS)
    worker.step()
    clock.move(-_DAY_SECONDS)
    worker.step()
    assert _lease(hopp)[1] < to_us(clock()) + DAY_US / 2


def test_a_lease_that_a_wrong_clock_gave_binds_nobody(hopp: Hopp, clock: Clock) -> None:
    clock.move(_DAY_SECONDS)
    hopp.worker(Signal()).step()
    holder, _ = _lease(hopp)
    clock.move(-_DAY_SECONDS)
    hopp.worker(Signal()).step()
    assert _lease(hopp)[0] != holder


def test_a_lease_of_a_clock_that_is_a_little_ahead_is_respected(hopp: Hopp, clock: Clock) -> None:
    clock.move(60)
    hopp.worker(Signal()).step()
    holder, until_us = _lease(hopp)
    clock.move(-60)
    hopp.worker(Signal()).step()
    assert _lease(hopp) == (holder, until_us)
    assert until_us > to_us(clock()) + 60 * SECOND_US
