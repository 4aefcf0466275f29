"""How long a domain waits for its denominator."""

from math import exp, log

from hypothesis import given
from hypothesis import strategies as st

from service.alerting.holding import START_LOG_LAG, DueCheck, hold_us, learned, scheduled
from service.alerting.policy import Policy
from service.model.moments import HOUR_US, SECOND_US

POLICY = Policy()
_MINUTE_US = 60 * SECOND_US


def test_a_source_that_nobody_knows_waits_three_minutes() -> None:
    assert hold_us(START_LOG_LAG, POLICY) == 180 * SECOND_US


def test_the_estimate_comes_to_rest_at_the_95th_percentile() -> None:
    lags = [(10 if number % 20 else 600) * SECOND_US for number in range(20_000)]

    assert 10 < exp(learned(START_LOG_LAG, lags)) < 660


def test_a_slow_source_is_learnt_and_the_wait_is_capped() -> None:
    slow = learned(START_LOG_LAG, [3 * HOUR_US] * 500)

    assert slow > log(1_800)
    assert hold_us(slow, POLICY) == 1_800 * SECOND_US


def test_backfill_teaches_nothing() -> None:
    assert learned(START_LOG_LAG, [7 * HOUR_US] * 100) == START_LOG_LAG


@given(st.lists(st.integers(-HOUR_US, 100 * HOUR_US)))
def test_whatever_is_learnt_the_wait_stays_within_its_bounds(lags: list[int]) -> None:
    assert 180 * SECOND_US <= hold_us(learned(START_LOG_LAG, lags), POLICY) <= 1_800 * SECOND_US


def test_the_first_bounce_sets_the_moment() -> None:
    assert scheduled(None, 0, 180 * SECOND_US, POLICY) == DueCheck(0, 180 * SECOND_US, 180 * SECOND_US)


def test_at_a_quick_source_later_bounces_move_nothing() -> None:
    first = scheduled(None, 0, 180 * SECOND_US, POLICY)

    assert scheduled(first, _MINUTE_US, 180 * SECOND_US, POLICY) == first


def test_at_a_slow_source_later_bounces_put_it_off_up_to_three_waits() -> None:
    hold = 10 * _MINUTE_US
    check = scheduled(None, 0, hold, POLICY)
    check = scheduled(check, 5 * _MINUTE_US, hold, POLICY)
    assert check.due_us == 15 * _MINUTE_US

    check = scheduled(check, 29 * _MINUTE_US, hold, POLICY)
    assert check.due_us == 30 * _MINUTE_US
