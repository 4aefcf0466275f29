"""The backtest says what the live pipeline did: the same transitions with the same numbers, from the same history."""

import random
from datetime import timedelta

from service.alerting.lifecycle import Change
from service.model.events import Event
from service.model.moments import SECOND_US, to_us
from service.pipeline.backtest import Backtest
from service.pipeline.evaluate import Evaluator
from service.store.database import Database
from service.store.timeline import count_attempts, load_timeline
from tests.pipeline.worlds import BOOK, POLICY, START, database_at, event, hard, put

_WEEK = -7 * 24 * 60
_STEP_SECONDS = 10


def _history() -> list[Event]:
    """Weeks of calm, a block at one domain, its recovery, and a trickle at another."""
    people = [f"p{number}@steel.example" for number in range(8)]
    chance = random.Random(3)
    calm = [event(person, minutes=_WEEK + chance.uniform(0, 600), message="calm") for person in people]
    others = [event(f"o{number}@gmx.example", minutes=chance.uniform(0, 300), message="other") for number in range(30)]
    block = [hard(person, minutes=10 + chance.uniform(0, 15), message="block") for person in people]
    again = [event(person, minutes=120 + chance.uniform(0, 10), message="again") for person in people[:6]]
    return sorted(calm + others + block + again, key=lambda item: str(item.occurred_at))


def _live(database: Database, history: list[Event]) -> list[tuple[str, Change, int, int]]:
    """Record each event when it is received, and evaluate all the time."""
    evaluator = Evaluator(database, POLICY, holder="one")
    transitions = []
    for item in history:
        assert item.occurred_at is not None
        put(database, [item], lag_minutes=0.5)
        clock = to_us(item.occurred_at) + 30 * SECOND_US
        following = history[history.index(item) + 1 :]
        until = to_us(following[0].occurred_at or START) + 30 * SECOND_US if following else clock + 3_600 * SECOND_US
        for now_us in range(clock, min(until, clock + 3_600 * SECOND_US), _STEP_SECONDS * SECOND_US):
            transitions += [(alert, change) for alert, change in evaluator.run(now_us)]
    return [(alert.domain, change, alert.finding.decision.counts.k, alert.finding.decision.counts.n) for alert, change in transitions]


def test_it_gives_the_transitions_that_came_live(database_url: str) -> None:
    database = database_at(database_url)
    live = _live(database, _history())

    until_us = to_us(START + timedelta(days=1))
    with database.read() as connection:
        assert count_attempts(connection, until_us) == len(_history())
        found = list(Backtest(POLICY, BOOK).run(load_timeline(connection, until_us), until_us))

    assert [change for _, change, *_ in live] == [Change.OPENED, Change.RECOVERED]
    assert live == [
        (item.alert.domain, item.change, item.alert.finding.decision.counts.k, item.alert.finding.decision.counts.n) for item in found
    ]
    database.close()


def test_an_empty_history_has_no_transitions() -> None:
    assert list(Backtest(POLICY, BOOK).run([], to_us(START))) == []
