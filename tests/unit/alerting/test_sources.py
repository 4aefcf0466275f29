"""When does an alert about a source open, close and open again?"""

from dataclasses import replace

import pytest

from service.alerting.rhythm import WEEK_HOURS, NoRhythm, Rhythm
from service.alerting.sources import (
    Posts,
    SourceAlert,
    SourceChange,
    SourceHealth,
    SourceState,
    SourceTrouble,
    SourceView,
    after_judging,
    judge_source,
)
from service.model.moments import HOUR_US
from service.model.words import AlertState

NOW = 500_000
NOW_US = NOW * HOUR_US
ALWAYS = Rhythm(shares=(1.0,) * WEEK_HOURS, allowed_hours=12.0)
WELL = SourceView(rhythm=ALWAYS, last_hour=NOW, now_hour=NOW)
SILENT = replace(WELL, last_hour=NOW - 13)
REFUSED = replace(WELL, short=Posts(2, 20), long=Posts(9, 30))


def looked(
    view: SourceView, alert: SourceAlert | None = None, *, trouble: SourceTrouble = SourceTrouble.SILENT, now_us: int = NOW_US
) -> tuple[SourceAlert, SourceChange] | None:
    return after_judging(alert, trouble, judge_source(view), now_us)


def firing(view: SourceView, trouble: SourceTrouble) -> SourceAlert:
    outcome = looked(view, trouble=trouble)
    assert outcome is not None
    assert outcome[1] is SourceChange.OPENED
    return outcome[0]


def resolved(alert: SourceAlert, view: SourceView, now_us: int = NOW_US) -> SourceAlert:
    outcome = looked(view, alert, trouble=alert.trouble, now_us=now_us)
    assert outcome is not None
    assert outcome[1] is SourceChange.RECOVERED
    return outcome[0]


@pytest.mark.parametrize(
    ("view", "state"),
    [
        (WELL, SourceState.REGULAR),
        (replace(WELL, last_hour=NOW - 12), SourceState.REGULAR),
        (SILENT, SourceState.SILENT),
        (replace(SILENT, rhythm=NoRhythm.LEARNING), SourceState.LEARNING),
        (replace(SILENT, rhythm=NoRhythm.IRREGULAR), SourceState.IRREGULAR),
        (replace(WELL, rhythm=NoRhythm.LEARNING, last_hour=None), SourceState.LEARNING),
        (REFUSED, SourceState.REFUSED),
        (replace(WELL, long=Posts(5, 10)), SourceState.REFUSED),
        (replace(WELL, long=Posts(0, 9)), SourceState.REGULAR),
        (replace(WELL, long=Posts(10, 10)), SourceState.REGULAR),
        (replace(WELL, long=Posts(10, 11)), SourceState.REFUSED),
        (replace(WELL, long=Posts(100, 0, 109)), SourceState.REGULAR),
        (replace(WELL, long=Posts(0, 0, 10)), SourceState.REFUSED),
        (replace(SILENT, short=Posts(0, 20)), SourceState.REFUSED),
        (replace(SILENT, rhythm=NoRhythm.LEARNING, last_hour=None, short=Posts(0, 20)), SourceState.REFUSED),
    ],
)
def test_a_source_is_in_one_state(view: SourceView, state: SourceState) -> None:
    assert judge_source(view).state is state


def test_what_nobody_was_there_to_take_is_no_silence() -> None:
    away = replace(SILENT, last_hour=NOW - 400, watched_from_hour=NOW - 3)
    assert judge_source(away).state is SourceState.REGULAR
    assert judge_source(replace(away, now_hour=NOW + 10)).state is SourceState.SILENT


def test_a_well_source_has_no_alert() -> None:
    assert [looked(WELL, trouble=trouble) for trouble in SourceTrouble] == [None, None]


def test_silence_opens_one_alert_with_its_figures() -> None:
    alert = firing(SILENT, SourceTrouble.SILENT)
    assert (alert.state, alert.last_hour, alert.missed_hours, alert.allowed_hours) == (AlertState.FIRING, NOW - 13, 12, 12)
    assert looked(SILENT, trouble=SourceTrouble.REFUSED) is None


def test_an_open_alert_is_refreshed_while_it_lasts() -> None:
    alert = firing(SILENT, SourceTrouble.SILENT)
    outcome = looked(replace(SILENT, now_hour=NOW + 1), alert, now_us=NOW_US + HOUR_US)
    assert outcome is not None
    assert (outcome[1], outcome[0].missed_hours, outcome[0].opened_us) == (SourceChange.REFRESHED, 13, NOW_US)


def test_a_post_ends_silence() -> None:
    alert = resolved(firing(SILENT, SourceTrouble.SILENT), WELL)
    assert (alert.state, alert.close_reason, alert.closed_us) == (AlertState.RESOLVED, SourceChange.RECOVERED, NOW_US)


def test_silence_lasts_until_a_post_comes_whatever_else_changes() -> None:
    """Neither posts that are refused nor a pause of Hopp itself prove that the ESP posts again."""
    alert = firing(SILENT, SourceTrouble.SILENT)
    assert looked(replace(SILENT, short=Posts(0, 20)), alert) is None
    assert looked(replace(SILENT, watched_from_hour=NOW), alert) is None


def test_accepted_posts_end_a_refusal() -> None:
    alert = firing(REFUSED, SourceTrouble.REFUSED)
    assert (alert.accepted, alert.refused) == (9, 30)
    assert looked(replace(WELL, short=Posts(10, 9), long=Posts(12, 12)), alert, trouble=SourceTrouble.REFUSED) is None
    resolved(alert, replace(WELL, short=Posts(10, 4), long=Posts(10, 40)))


def test_a_few_accepted_posts_do_not_outweigh_a_day_of_refused_ones() -> None:
    """Two accounts at one source, one of them with another key, would open and close it all day."""
    few = replace(WELL, short=Posts(4, 0), long=Posts(8, 40))
    outcome = looked(few, firing(REFUSED, SourceTrouble.REFUSED), trouble=SourceTrouble.REFUSED)
    assert outcome is not None
    assert outcome[1] is SourceChange.REFRESHED


def test_a_sender_that_is_asked_for_its_password_each_time_is_well() -> None:
    asked_first = replace(WELL, short=Posts(50, 0, 51), long=Posts(600, 2, 605))
    assert judge_source(asked_first).state is SourceState.REGULAR
    resolved(firing(REFUSED, SourceTrouble.REFUSED), asked_first)


def test_a_refusal_expires_when_nobody_posts_any_more() -> None:
    alert = firing(REFUSED, SourceTrouble.REFUSED)
    assert looked(replace(WELL, long=Posts(0, 5)), alert, trouble=SourceTrouble.REFUSED) is None
    outcome = looked(WELL, alert, trouble=SourceTrouble.REFUSED)
    assert outcome is not None
    assert outcome[1] is SourceChange.EXPIRED


@pytest.mark.parametrize(("hours", "change"), [(72, SourceChange.REOPENED), (73, SourceChange.OPENED)])
def test_the_same_trouble_within_three_days_opens_the_same_alert_again(hours: int, change: SourceChange) -> None:
    alert = resolved(firing(SILENT, SourceTrouble.SILENT), WELL)
    outcome = looked(replace(SILENT, last_hour=NOW, now_hour=NOW + hours), alert, now_us=NOW_US + hours * HOUR_US)
    assert outcome is not None
    again, found = outcome
    assert (found, again.reopen_count, again.closed_us) == (change, int(change is SourceChange.REOPENED), None)


def test_a_closed_alert_of_a_well_source_stays_as_it_is() -> None:
    assert looked(WELL, resolved(firing(SILENT, SourceTrouble.SILENT), WELL)) is None


def test_health_says_what_an_alert_would_be_about() -> None:
    healths: list[SourceHealth] = [judge_source(view) for view in (WELL, SILENT, REFUSED)]
    assert [health.trouble for health in healths] == [None, SourceTrouble.SILENT, SourceTrouble.REFUSED]
