"""In which hours of the week does a source usually post, and how long may it be quiet before that is silence?

Silence is measured in the posts that were to be expected, not in hours: a night and a weekend in which the source never posts are
no silence, and neither is a single public holiday of a source that rests on some day of the week.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import ceil

WEEK_HOURS = 168
_DAY_HOURS = 24
LEARNT_HOURS = 4 * WEEK_HOURS
_SHORTEST_HOURS = WEEK_HOURS
_FEWEST_A_WEEK = 10.0  # hours with posts; below, nobody can say what its usual rhythm is
_QUANTILE = 0.99  # of the quiet stretches: one outage or one long holiday is not learnt as usual
_LONGER_THAN_USUAL = 3.0
_LEAST_ALLOWED = 6.0
_RESTING_SHARE = 0.5  # a day of the week with less than this of its busiest day is a day of rest
_DAYS_OF_WHO_RESTS = 1.5  # who rests on Sundays rests on a holiday too: missing one whole day proves nothing
_DAYS_OF_WHO_NEVER_RESTS = 0.5


class NoRhythm(StrEnum):
    """Why nothing can be said about a source's silence."""

    LEARNING = "learning"  # less than a week is known of it
    IRREGULAR = "irregular"  # it posts too rarely


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How a source usually posts."""

    shares: tuple[float, ...]  # by UTC hour of the week: in which share of the weeks something was posted
    allowed_hours: float  # so many hours with expected posts may be missed

    def missed_hours(self, last_hour: int, now_hour: int) -> float:
        """How many hours with posts were to be expected between the last one with a post and the present one, both left out."""
        weeks, rest = divmod(max(now_hour - last_hour - 1, 0), WEEK_HOURS)
        return weeks * sum(self.shares) + sum(self.shares[hour % WEEK_HOURS] for hour in range(last_hour + 1, last_hour + 1 + rest))


def learn(hours: Sequence[int]) -> Rhythm | NoRhythm:
    """The rhythm of a source that posted in these UTC hours, ascending.

    Only the last four weeks teach, counted back from the last post and not from now: a silence must not wear its own measure away.
    """
    if not hours:
        return NoRhythm.LEARNING
    recent = [hour for hour in hours if hour > hours[-1] - LEARNT_HOURS]
    known_hours = recent[-1] - recent[0] + 1
    if known_hours < _SHORTEST_HOURS:
        return NoRhythm.LEARNING
    shares = _shares(recent, known_hours)
    if sum(shares) < _FEWEST_A_WEEK:
        return NoRhythm.IRREGULAR
    return Rhythm(shares=shares, allowed_hours=_allowed_hours(shares, recent))


def _shares(hours: Sequence[int], known_hours: int) -> tuple[float, ...]:
    seen = Counter(hour % WEEK_HOURS for hour in hours)
    weeks, rest = divmod(known_hours, WEEK_HOURS)
    once_more = {hour % WEEK_HOURS for hour in range(hours[0], hours[0] + rest)}
    return tuple(seen[slot] / (weeks + (slot in once_more)) for slot in range(WEEK_HOURS))


def _allowed_hours(shares: Sequence[float], hours: Sequence[int]) -> float:
    days = [sum(shares[start : start + _DAY_HOURS]) for start in range(0, WEEK_HOURS, _DAY_HOURS)]
    rests = min(days) < _RESTING_SHARE * max(days)
    missed_days = (_DAYS_OF_WHO_RESTS if rests else _DAYS_OF_WHO_NEVER_RESTS) * max(days)
    return max(_LEAST_ALLOWED, missed_days, _LONGER_THAN_USUAL * _usual_stretch(shares, hours))


def _usual_stretch(shares: Sequence[float], hours: Sequence[int]) -> float:
    """How much is missed in all but the longest of the quiet stretches that it always came back from."""
    missed = sorted(sum(shares[hour % WEEK_HOURS] for hour in range(before + 1, after)) for before, after in pairwise(hours))
    return missed[ceil(_QUANTILE * len(missed)) - 1]
