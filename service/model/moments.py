"""How is a moment written down? Aware UTC in memory, whole microseconds since 1970 in the tables, ISO 8601 with Z outside."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
# An event is filed at most so long after its receipt, whatever it says: one wrong clock must not move a domain's windows.
FILED_AHEAD_US = 600 * SECOND_US


def to_us(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC of an aware moment."""
    return (moment - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The aware UTC moment of a stored count of microseconds."""
    return EPOCH + timedelta(microseconds=us)


def hour_of(us: int) -> int:
    """The UTC hour, counted from 1970, that a moment falls into."""
    return us // HOUR_US


def iso(us: int) -> str:
    """ISO 8601 in UTC with `Z`; the fraction is written only where there is one."""
    return from_us(us).isoformat().replace("+00:00", "Z")


def hour_iso(hour: int) -> str:
    """The start of a UTC hour in ISO 8601."""
    return iso(hour * HOUR_US)
