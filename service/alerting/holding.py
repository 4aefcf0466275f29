"""How long does a domain wait for its denominator? Bounces overtake the webhooks that tell of delivered mail."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log

from service.alerting.policy import Policy
from service.model.moments import HOUR_US, SECOND_US

START_LOG_LAG = log(180)
_STEP_UP = 0.0475
_STEP_DOWN = 0.0025  # 0.0475 / 0.0025 = 19: the estimate rests where 1 of 20 lags is longer, the 95th percentile
_TEACHES_US = 6 * HOUR_US  # what is received later is backfill


def learned(log_lag: float, lags_us: Iterable[int]) -> float:
    """The estimate of a source's 95th percentile lag (ln seconds) after these delivered events, duplicates left out."""
    for lag_us in lags_us:
        if lag_us > _TEACHES_US:
            continue
        if log(max(lag_us, 1_000) / SECOND_US) > log_lag:
            log_lag += _STEP_UP
        else:
            log_lag -= _STEP_DOWN
    return log_lag


def hold_us(log_lag: float, policy: Policy) -> int:
    """How long after a hard bounce of this source its domain is judged, microseconds."""
    seconds = min(max(exp(min(log_lag, 20.0)), policy.hold_min_seconds), policy.hold_max_seconds)
    return int(seconds * SECOND_US)


@dataclass(frozen=True, slots=True)
class DueCheck:
    """A domain that had a hard bounce and waits to be judged. This is the `pending` state."""

    first_us: int
    widest_us: int
    due_us: int


def scheduled(check: DueCheck | None, now_us: int, hold: int, policy: Policy) -> DueCheck:
    """The check that is outstanding after one more hard bounce, fresh or not."""
    if check is None:
        return DueCheck(now_us, hold, now_us + hold)
    if hold <= policy.hold_min_seconds * SECOND_US:
        return check
    widest = max(check.widest_us, hold)
    return DueCheck(check.first_us, widest, min(max(check.due_us, now_us + hold), check.first_us + 3 * widest))
