"""Which bounces count, in which cell, and in which hour, if the whole known history of each address is read in event time?

An event that arrives out of its order has its recipient read again from the beginning, so the counts never depend on the
order of arrival.
"""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.world.clock import DAY, HOUR

WARM_SECONDS = 60 * DAY
LONG_AGO = float("-inf")

Sums = tuple[int, int, int, int]  # warm bounced, warm tried, cold bounced, cold tried


class Fact(NamedTuple):
    """One counted event of one recipient, ordered by event time."""

    happened: float
    rank: int  # a delivery comes before a bounce of the same moment
    event_id: str
    source: str
    kind: str  # delivered, soft or hard

    @property
    def hour(self) -> int:
        """The hour that the event is filed under."""
        return int(self.happened // HOUR)


@dataclass(slots=True)
class Cells:
    """Counts of one domain, hour and source."""

    warm_n: int = 0
    warm_k: int = 0
    cold_n: int = 0
    cold_k: int = 0


@dataclass(slots=True)
class History:
    """One recipient."""

    facts: list[Fact] = field(default_factory=list)
    last_delivered: float = LONG_AGO
    last_hard: float = LONG_AGO

    def count(self, fact: Fact) -> tuple[bool, bool, bool]:
        """Read one more fact: (is tried, is warm, is a fresh hard bounce)."""
        is_bounced = self.last_hard > self.last_delivered
        is_warm = fact.happened - self.last_delivered <= WARM_SECONDS and not is_bounced
        if fact.kind == "delivered":
            self.last_delivered = fact.happened
        if fact.kind != "hard":
            return True, is_warm, False
        self.last_hard = fact.happened
        return not is_bounced, is_warm, not is_bounced


class Ledger:
    """The cells of all domains."""

    def __init__(self) -> None:
        self._people: dict[str, History] = {}
        self._cells: dict[str, dict[int, dict[str, Cells]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Cells)))
        self.newest_hour: dict[str, int] = {}

    def add(self, domain: str, address: str, fact: Fact) -> None:
        """File one delivery or final bounce."""
        self.newest_hour[domain] = max(self.newest_hour.get(domain, 0), fact.hour)
        history = self._people.setdefault(address, History())
        if not history.facts or history.facts[-1] < fact:
            history.facts.append(fact)
            self._file(domain, history, fact, 1)
            return
        self._read(domain, history, -1)
        insort(history.facts, fact)
        self._read(domain, history, 1)

    def sums(self, domain: str, hours: int, sources: set[str]) -> Sums:
        """The cells of these sources in the hours that end with the domain's newest."""
        newest = self.newest_hour[domain]
        by_hour = self._cells[domain]
        here = [cells for hour in range(newest - hours + 1, newest + 1) if hour in by_hour for cells in _of(by_hour[hour], sources)]
        return (
            sum(cells.warm_k for cells in here),
            sum(cells.warm_n for cells in here),
            sum(cells.cold_k for cells in here),
            sum(cells.cold_n for cells in here),
        )

    def _read(self, domain: str, history: History, sign: int) -> None:
        history.last_delivered = history.last_hard = LONG_AGO
        for fact in history.facts:
            self._file(domain, history, fact, sign)

    def _file(self, domain: str, history: History, fact: Fact, sign: int) -> None:
        is_tried, is_warm, is_fresh = history.count(fact)
        if not is_tried:
            return
        cells = self._cells[domain][fact.hour][fact.source]
        if is_warm:
            cells.warm_n += sign
            cells.warm_k += sign * is_fresh
            return
        cells.cold_n += sign
        cells.cold_k += sign * is_fresh


def _of(by_source: dict[str, Cells], sources: set[str]) -> list[Cells]:
    return [cells for source, cells in by_source.items() if source in sources]
