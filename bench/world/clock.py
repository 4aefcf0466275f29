"""How does the world count time? Seconds since its first midnight; ISO 8601 with Z outside."""

import math
from datetime import UTC, datetime, timedelta
from random import Random

MINUTE = 60.0
HOUR = 3_600.0
DAY = 86_400.0
NEVER = math.inf
FIRST_DAY = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
WEEKEND = (5, 6)
WEEKEND_SHARE = 0.1


def moment(seconds: float) -> datetime:
    """The aware UTC moment, to the millisecond."""
    return FIRST_DAY + timedelta(milliseconds=round(seconds * 1000))


def stamp(seconds: float) -> str:
    """ISO 8601 to the millisecond."""
    return moment(seconds).isoformat(timespec="milliseconds")[:-6] + "Z"


def is_weekend(day: int) -> bool:
    """Whether the day with this number is a Saturday or a Sunday."""
    return day % 7 in WEEKEND


def working_day(rng: Random, day: int) -> int:
    """The day itself, or mostly one of the days around it where it is at a weekend."""
    if not is_weekend(day) or rng.random() < WEEKEND_SHARE:
        return day
    return day + rng.choice((2, 3, 4)) if day % 7 == WEEKEND[0] else day + rng.choice((1, 2, 3))
