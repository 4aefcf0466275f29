"""What becomes of a domain's alert, by checks and by sweeps."""

from dataclasses import replace

import pytest

from service.alerting.decision import Counts
from service.alerting.lifecycle import Alert, Change, DomainView, Recovery, after_check, after_sweep, judge
from service.alerting.policy import Policy
from service.model.moments import DAY_US, HOUR_US
from service.model.words import AlertState, DomainClass, Severity

POLICY = Policy()
NOW_US = 500_000 * HOUR_US + HOUR_US // 2
MANY = Counts(warm_n=6, warm_k=6)


def view(
    short: Counts = MANY, long: Counts | None = None, *, domain_class: DomainClass = DomainClass.BUSINESS, people: int = 0
) -> DomainView:
    return DomainView(
        domain="steel.example",
        domain_class=domain_class,
        newest_hour=500_000,
        windows={2: short, 24: short if long is None else long},
        nodenom_people=people,
    )


def checked(alert: Alert | None = None, seen: DomainView | None = None, *, now_us: int = NOW_US) -> tuple[Alert, Change] | None:
    seen = seen or view()
    return after_check(alert, seen, judge(seen, POLICY, e_min=100), now_us=now_us, policy=POLICY)


def firing(seen: DomainView | None = None) -> Alert:
    outcome = checked(seen=seen)
    assert outcome is not None
    return outcome[0]


def resolved(hours_ago: int) -> Alert:
    return replace(firing(), state=AlertState.RESOLVED, closed_us=NOW_US - hours_ago * HOUR_US, close_reason=Change.RECOVERED)


def test_the_short_window_is_named_where_it_fires() -> None:
    assert judge(view(), POLICY, e_min=100).window_hours == 2


def test_the_long_window_fires_where_the_short_one_does_not() -> None:
    assert judge(view(Counts(warm_n=1, warm_k=1), MANY), POLICY, e_min=100).window_hours == 24


def test_a_check_that_is_false_changes_nothing() -> None:
    assert checked(firing(), view(Counts(warm_n=100))) is None


def test_a_true_check_on_a_firing_alert_only_refreshes_it() -> None:
    outcome = checked(firing(), now_us=NOW_US + 1)

    assert outcome is not None
    assert outcome[1] is Change.REFRESHED
    assert (outcome[0].opened_us, outcome[0].last_true_us) == (NOW_US, NOW_US + 1)


def test_a_critical_alert_stays_critical_while_it_is_open() -> None:
    loud = firing(view(Counts(warm_n=12, warm_k=12)))
    outcome = checked(loud, view())

    assert loud.severity is Severity.CRITICAL
    assert outcome is not None
    assert outcome[0].severity is Severity.CRITICAL


@pytest.mark.parametrize(("hours_ago", "change"), [(1, Change.REOPENED), (72, Change.REOPENED), (73, Change.OPENED)])
def test_within_three_days_the_same_alert_opens_again(hours_ago: int, change: Change) -> None:
    outcome = checked(resolved(hours_ago))

    assert outcome is not None
    assert (outcome[1], outcome[0].state, outcome[0].closed_us) == (change, AlertState.FIRING, None)


def test_a_window_that_ended_a_day_ago_opens_nothing() -> None:
    assert checked(now_us=NOW_US + 25 * HOUR_US) is None
    assert checked(resolved(1), now_us=NOW_US + 25 * HOUR_US) is None


@pytest.mark.parametrize(
    ("people", "domain_class", "fires"),
    [(9, DomainClass.BUSINESS, False), (10, DomainClass.BUSINESS_GATEWAY, True), (50, DomainClass.CONSUMER, False)],
)
def test_without_a_denominator_people_are_counted(people: int, domain_class: DomainClass, *, fires: bool) -> None:
    finding = judge(view(Counts(), domain_class=domain_class, people=people), POLICY, e_min=100)

    assert finding.fires is fires
    assert finding.rate_known is not fires


def test_recovery_counts_deliveries_newer_than_the_last_hard_bounce() -> None:
    state = Recovery().after(hard_us=100, delivered_us=(50, 150, 160), attempt_us=160)
    assert (state.delivered_since_hard, state.last_hard_us) == (2, 100)

    state = state.after(hard_us=0, delivered_us=(170,), attempt_us=170)
    assert state.delivered_since_hard == 3

    state = state.after(hard_us=200, delivered_us=(), attempt_us=200)
    assert (state.delivered_since_hard, state.last_attempt_us) == (0, 200)


@pytest.mark.parametrize(
    ("recovery", "days", "change"),
    [
        (Recovery(delivered_since_hard=5, last_attempt_us=NOW_US - HOUR_US // 2), 0, Change.RECOVERED),
        (Recovery(delivered_since_hard=5, last_attempt_us=NOW_US - HOUR_US // 2 + 1), 0, None),
        (Recovery(delivered_since_hard=4, last_attempt_us=NOW_US - 5 * HOUR_US), 0, None),
        (Recovery(delivered_since_hard=5, last_attempt_us=NOW_US), 1, Change.RECOVERED),  # a busy domain is never quiet
        (Recovery(delivered_since_hard=4, last_attempt_us=NOW_US), 1, None),
        (Recovery(last_attempt_us=NOW_US - 14 * DAY_US), 14, Change.EXPIRED),
        (Recovery(last_attempt_us=NOW_US - 13 * DAY_US), 14, None),
        (Recovery(last_attempt_us=NOW_US - 14 * DAY_US), 13, None),
    ],
)
def test_it_closes_on_proof_or_after_long_silence(recovery: Recovery, days: int, change: Change | None) -> None:
    alert = replace(firing(), last_true_us=NOW_US - days * DAY_US)
    outcome = after_sweep(alert, recovery, now_us=NOW_US, policy=POLICY)

    assert (outcome[1] if outcome else None) is change
    if outcome:
        assert (outcome[0].state, outcome[0].closed_us, outcome[0].close_reason) == (AlertState.RESOLVED, NOW_US, change)
