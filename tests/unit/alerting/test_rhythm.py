"""When is a source's quiet the usual one, and when is it silence?"""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerting.rhythm import WEEK_HOURS, NoRhythm, Rhythm, learn

MONDAY = 2_900 * WEEK_HOURS + 4 * 24  # 1970 began on a Thursday
WEEKS = 4


def in_office_hours(weeks: int = WEEKS) -> list[int]:
    """From eight to six, Monday to Friday."""
    return [MONDAY + week * WEEK_HOURS + day * 24 + hour for week in range(weeks) for day in range(5) for hour in range(8, 18)]


def round_the_clock(weeks: int = WEEKS) -> list[int]:
    return list(range(MONDAY, MONDAY + weeks * WEEK_HOURS))


def rhythm_of(hours: Iterable[int]) -> Rhythm:
    found = learn(sorted(hours))
    assert isinstance(found, Rhythm)
    return found


def silent_after(hours: list[int]) -> int:
    """So many hours after its last post the source counts as silent."""
    rhythm = rhythm_of(hours)
    return next(passed for passed in range(10_000) if rhythm.missed_hours(hours[-1], hours[-1] + passed) >= rhythm.allowed_hours)


def test_nothing_is_known_before_a_week_has_passed() -> None:
    assert learn([]) is NoRhythm.LEARNING
    assert learn(range(MONDAY, MONDAY + WEEK_HOURS - 1)) is NoRhythm.LEARNING
    assert isinstance(learn(range(MONDAY, MONDAY + WEEK_HOURS)), Rhythm)


def test_a_source_that_posts_rarely_has_no_rhythm() -> None:
    assert learn([MONDAY + week * WEEK_HOURS + hour for week in range(WEEKS) for hour in range(9)]) is NoRhythm.IRREGULAR


def test_nights_and_weekends_are_no_silence() -> None:
    hours = in_office_hours()
    rhythm = rhythm_of(hours)
    next_monday_at_eight = MONDAY + WEEKS * WEEK_HOURS + 8
    assert rhythm.missed_hours(hours[-1], next_monday_at_eight) == 0
    assert rhythm.missed_hours(hours[-1], next_monday_at_eight + 3) == 3


def test_a_public_holiday_is_no_silence_for_who_rests_on_sundays() -> None:
    hours = in_office_hours()
    rhythm = rhythm_of(hours)
    tuesday = MONDAY + WEEKS * WEEK_HOURS + 24
    assert rhythm.missed_hours(hours[-1], tuesday) == 10 < rhythm.allowed_hours
    assert rhythm.missed_hours(hours[-1], tuesday + 13) >= rhythm.allowed_hours


def test_who_never_rests_is_silent_after_half_a_day() -> None:
    assert silent_after(round_the_clock()) == 13


def test_one_outage_of_two_days_is_not_learnt_as_usual() -> None:
    hours = round_the_clock()
    assert silent_after([hour for hour in hours if not 200 <= hour - MONDAY < 248]) < 16


def test_stretches_of_quiet_that_come_every_other_day_are_learnt() -> None:
    hours = [hour for hour in round_the_clock() if hour % 48 < 30]
    assert silent_after(hours) > 20


def test_silence_does_not_wear_its_measure_away() -> None:
    """After months the four weeks before now hold nothing; the four weeks before the last post still do."""
    hours = in_office_hours()
    rhythm = rhythm_of(hours)
    assert rhythm.missed_hours(hours[-1], hours[-1] + 20 * WEEK_HOURS) == 20 * 50 - 1


def test_what_is_older_than_four_weeks_teaches_nothing() -> None:
    old = [hour - 8 * WEEK_HOURS for hour in round_the_clock()]
    assert learn([*old, *in_office_hours()]) == learn(in_office_hours())


@pytest.mark.parametrize("now", [-1, 0, 1])
def test_nothing_is_missed_while_the_last_post_is_fresh(now: int) -> None:
    hours = round_the_clock()
    assert rhythm_of(hours).missed_hours(hours[-1], hours[-1] + now) == 0


@given(st.sets(st.integers(MONDAY, MONDAY + 6 * WEEK_HOURS), min_size=1, max_size=400), st.integers(0, 2_000), st.integers(0, 300))
def test_shares_are_shares_and_silence_only_grows(hours: set[int], passed: int, more: int) -> None:
    posted = sorted(hours)
    found = learn(posted)
    if isinstance(found, NoRhythm):
        return
    assert len(found.shares) == WEEK_HOURS
    assert all(0 <= share <= 1 for share in found.shares)
    missed = found.missed_hours(posted[-1], posted[-1] + passed)
    assert 0 <= missed <= found.missed_hours(posted[-1], posted[-1] + passed + more) + 1e-9
    assert found.allowed_hours >= 6
