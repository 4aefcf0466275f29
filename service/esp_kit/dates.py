"""Which moment does an ESP mean, in whatever form it writes it?

Seconds or milliseconds as number or text, ISO 8601 with up to nine fraction digits, a space as separator or before the offset; text
without a zone is UTC. Moments before 2000 or after 2099 are mistakes, and a mistake is None: nothing here raises.
"""

import re
from datetime import UTC, datetime

from service.model.moments import EPOCH

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EARLIEST_SECONDS = (_EARLIEST - EPOCH).total_seconds()
_LATEST_SECONDS = (_LATEST - EPOCH).total_seconds()
_MILLISECONDS_FROM = 1e11  # in seconds this would be the year 5138
_LONGEST_TEXT = 64
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)


def moment_of(value: object) -> datetime | None:
    """The aware UTC moment that a number or text stands for."""
    if type(value) is not int and type(value) is not float:  # nor bool, which is a kind of int
        return _moment_of_text(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    seconds = value / 1000 if value > _MILLISECONDS_FROM else value
    if not _EARLIEST_SECONDS <= seconds < _LATEST_SECONDS:
        return None
    if type(seconds) is not int:  # rounded here, for fromtimestamp rounds the fraction alone, which may differ in the seventh digit
        seconds = round(seconds * 1_000_000) / 1_000_000
    return datetime.fromtimestamp(seconds, UTC)


def _moment_of_text(written: str) -> datetime | None:
    if "-" not in written and _NUMBER.fullmatch(written):  # most texts are dates, and a search costs more than a look for their dash
        return moment_of(float(written) if "." in written else int(written))
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or one whose zone leads out of the calendar
        return None
    return moment if _EARLIEST <= moment < _LATEST else None
