"""How many answers does no rule know, in the last day and in the four weeks before it, by source and by gateway?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, func, select

from service.alerting.drift import Drift, Replies, drift_of
from service.store.reply_tables import reply_hourly
from service.store.tables import sources

_DAY_HOURS = 24
_BEFORE_HOURS = 28 * 24

_ByPlace = Mapping[tuple[str, str], Replies]  # by source and gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """How well the answers of one source, or of one gateway, are understood."""

    name: str
    today: Replies
    before: Replies

    @property
    def drift(self) -> Drift:
        """How they compare."""
        return drift_of(self.today, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understandings:
    """The same of all of them; test sources are left out."""

    sources: tuple[Understanding, ...] = ()
    gateways: tuple[Understanding, ...] = ()


class DriftReader:
    """Reads the counts; those of the weeks before are read once an hour."""

    def __init__(self) -> None:
        self._before: tuple[int, _ByPlace] | None = None
        self._lock = Lock()

    def read(self, connection: Connection, now_hour: int) -> Understandings:
        """The counts of the 24 hours up to this one, and of the 28 days before them."""
        from_hour = now_hour - _DAY_HOURS + 1
        today = _load(connection, from_hour, now_hour)
        with self._lock:
            known = self._before
        if known is None or known[0] != now_hour:
            known = now_hour, _load(connection, from_hour - _BEFORE_HOURS, from_hour - 1)
            with self._lock:
                self._before = known
        before = known[1]
        return Understandings(sources=_summed(today, before, 0), gateways=_summed(today, before, 1))


def _load(connection: Connection, from_hour: int, to_hour: int) -> _ByPlace:
    counts = reply_hourly.c
    statement = (
        select(sources.c.name, counts.gateway, func.sum(counts.answered), func.sum(counts.undetermined))
        .join(sources, sources.c.id == counts.source_id)
        .where(counts.hour >= from_hour, counts.hour <= to_hour, sources.c.is_test.is_(False))
        .group_by(sources.c.name, counts.gateway)
    )
    return {(name, gateway): Replies(int(answered), int(unknown)) for name, gateway, answered, unknown in connection.execute(statement)}


def _summed(today: _ByPlace, before: _ByPlace, part: int) -> tuple[Understanding, ...]:
    sums: dict[str, list[Replies]] = defaultdict(lambda: [Replies(), Replies()])
    for number, counts in enumerate((today, before)):
        for place, found in counts.items():
            sums[place[part]][number] += found
    return tuple(Understanding(name=name, today=now, before=then) for name, (now, then) in sorted(sums.items()) if name)
