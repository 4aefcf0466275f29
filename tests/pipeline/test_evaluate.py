"""When does an alert open, stay, close and open again? Over real tables, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from service.alerting.lifecycle import Alert, Change
from service.model.moments import to_us
from service.model.words import AlertState, Severity
from service.pipeline.evaluate import Evaluator
from service.store.database import Database
from tests.pipeline.worlds import POLICY, START, database_at, event, hard, put

_WEEK = -7 * 24 * 60


def _people(count: int) -> list[str]:
    return [f"p{number}@steel.example" for number in range(count)]


def _run(database: Database, *, minutes: float, evaluator: Evaluator | None = None) -> list[tuple[Alert, Change]]:
    evaluator = evaluator or Evaluator(database, POLICY, holder="one")
    return evaluator.run(to_us(START + timedelta(minutes=minutes)))


def _known_people_refused(database: Database, count: int) -> None:
    """People who took mail a week ago are refused within minutes."""
    put(database, [event(person, minutes=_WEEK, message="old") for person in _people(count)])
    put(database, [hard(person, minutes=number / 10, message="new") for number, person in enumerate(_people(count))])


def test_four_known_people_refused_fire_once_the_wait_is_over(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 4)

    assert _run(database, minutes=2) == []
    [(alert, change)] = _run(database, minutes=6)

    assert change is Change.OPENED
    assert (alert.domain, alert.severity, alert.finding.decision.counts.warm_k) == ("steel.example", Severity.WARNING, 4)
    assert _run(database, minutes=7) == []
    database.close()


def test_what_changed_is_logged_with_the_id_and_figures_that_the_api_gives(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 4)
    _run(database, minutes=6)
    [line] = [line for line in "".join(capsys.readouterr()).splitlines() if "alert_changed" in line]
    with database.read() as connection:
        alert_id = connection.execute(text("SELECT id FROM alerts")).scalar_one()
    wanted = (f"alert={alert_id}", "attempts=4", "reported_hard=4", "domain=steel.example", "change=opened")
    assert [word for word in wanted if word not in line] == []
    database.close()


def test_three_of_three_never_fire(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 3)

    assert _run(database, minutes=6) == []
    database.close()


def test_the_denominator_that_comes_within_the_wait_keeps_it_silent(database_url: str) -> None:
    """Bounces overtake the webhooks of delivered mail: four of four often ends as four of sixty."""
    database = database_at(database_url)
    _known_people_refused(database, 4)
    put(database, [event(f"q{number}@steel.example", minutes=1, message="new") for number in range(60)])

    assert _run(database, minutes=7) == []
    database.close()


def test_many_refused_are_critical(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 12)

    [(alert, _)] = _run(database, minutes=6)

    assert alert.severity is Severity.CRITICAL
    database.close()


def test_a_second_true_check_refreshes_the_one_open_alert(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 5)
    evaluator = Evaluator(database, POLICY, holder="one")
    _run(database, minutes=6, evaluator=evaluator)
    put(database, [hard(f"x{number}@steel.example", minutes=10, message="more") for number in range(3)])

    assert _run(database, minutes=30, evaluator=evaluator) == []
    with database.read() as connection:
        rows = connection.execute(text("SELECT state, warm_k + cold_k FROM alerts")).all()
        transitions = connection.execute(text("SELECT reason FROM alert_transitions")).scalars().all()
    assert [tuple(row) for row in rows] == [("firing", 8)]
    assert transitions == ["opened"]
    database.close()


def test_it_closes_on_five_deliveries_in_a_row_and_half_an_hour_of_quiet(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 5)
    evaluator = Evaluator(database, POLICY, holder="one")
    _run(database, minutes=6, evaluator=evaluator)

    put(database, [event(person, minutes=60, message="again") for person in _people(5)])

    assert _run(database, minutes=80, evaluator=evaluator) == []
    [(alert, change)] = _run(database, minutes=91, evaluator=evaluator)
    assert (alert.state, change) == (AlertState.RESOLVED, Change.RECOVERED)
    database.close()


def test_silence_is_no_recovery_but_expires_after_a_fortnight(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 5)
    evaluator = Evaluator(database, POLICY, holder="one")
    _run(database, minutes=6, evaluator=evaluator)

    assert _run(database, minutes=13 * 24 * 60, evaluator=evaluator) == []
    [(_, change)] = _run(database, minutes=15 * 24 * 60, evaluator=evaluator)
    assert change is Change.EXPIRED
    database.close()


def test_true_again_within_three_days_opens_the_same_alert_again(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 5)
    evaluator = Evaluator(database, POLICY, holder="one")
    _run(database, minutes=6, evaluator=evaluator)
    put(database, [event(person, minutes=60, message="again") for person in _people(5)])
    _run(database, minutes=95, evaluator=evaluator)

    put(database, [hard(person, minutes=300, message="third") for person in _people(5)])
    [(alert, change)] = _run(database, minutes=310, evaluator=evaluator)

    assert (change, alert.reopen_count) == (Change.REOPENED, 1)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alerts")).scalar_one() == 1
    database.close()


def test_a_window_that_is_long_over_never_opens_an_alert(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 8)

    assert _run(database, minutes=27 * 60) == []
    database.close()


def test_without_a_denominator_ten_people_warn_and_no_rate_is_given(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [hard(f"p{number}@other{number}.example", minutes=-600) for number in range(20)], source="blind")
    put(database, [hard(person, minutes=1) for person in _people(10)], source="blind")

    fired = _run(database, minutes=10)

    assert [(alert.domain, alert.finding.rate_known, alert.severity) for alert, _ in fired] == [("steel.example", False, Severity.WARNING)]
    database.close()


def test_only_one_holder_of_the_lease_decides(database_url: str) -> None:
    database = database_at(database_url)
    _known_people_refused(database, 5)
    first = Evaluator(database, POLICY, holder="one")
    _run(database, minutes=2, evaluator=first)

    assert _run(database, minutes=2.2, evaluator=Evaluator(database, POLICY, holder="two")) == []
    database.close()


def test_a_lease_that_is_given_up_is_free_at_once_and_nobody_gives_up_that_of_another(database_url: str) -> None:
    database = database_at(database_url)
    first, second = (Evaluator(database, POLICY, holder=name) for name in ("one", "two"))
    now_us = to_us(START)
    first.run(now_us)
    second.release(now_us)
    second.run(now_us)
    holders = [_holder(database)]
    first.release(now_us)
    holders.append(_holder(database))
    second.run(now_us)
    assert [*holders, _holder(database)] == ["one", "", "two"]
    database.close()


def _holder(database: Database) -> str:
    with database.read() as connection:
        return str(connection.execute(text("SELECT holder FROM leases")).scalar_one())
