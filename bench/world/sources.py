"""Through which ESPs does the world send, and how late do their webhooks come?

Deliveries are reported later than bounces. Stalls, in which an ESP holds webhooks back and lets them go together, make
most of the webhooks that are over ten minutes late.
"""

import math
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from bench.world.clock import DAY, HOUR, MINUTE

IPS_PER_SOURCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One account at one ESP, with the habits of its webhooks."""

    name: str
    esp: str
    first_ip: int  # last part of its lowest sending address
    share: float  # of the mailing lists
    delivered_median_s: float
    delivered_sigma: float
    stalls_per_day: float
    reports_delivered: bool = True
    suppress_after: int = 1  # hard bounces after which this ESP stops mailing an address

    @property
    def ips(self) -> tuple[str, ...]:
        """Its sending addresses, out of the range that is kept for documentation."""
        return tuple(f"198.51.100.{self.first_ip + n}" for n in range(IPS_PER_SOURCE))


SOURCES = (
    Source(name="crm-sendgrid", esp="sendgrid", first_ip=10, share=0.20, delivered_median_s=9, delivered_sigma=1.5, stalls_per_day=1.1),
    Source(name="news-ses", esp="ses", first_ip=20, share=0.18, delivered_median_s=6, delivered_sigma=1.4, stalls_per_day=0.9),
    Source(name="leads-mailgun", esp="mailgun", first_ip=30, share=0.15, delivered_median_s=15, delivered_sigma=1.5, stalls_per_day=1.2),
    Source(name="shop-postmark", esp="postmark", first_ip=40, share=0.12, delivered_median_s=5, delivered_sigma=1.3, stalls_per_day=0.7),
    Source(
        name="events-sparkpost", esp="sparkpost", first_ip=50, share=0.15, delivered_median_s=105, delivered_sigma=1.5, stalls_per_day=1.3
    ),
    Source(
        name="bulk-powermta",
        esp="powermta",
        first_ip=60,
        share=0.20,
        delivered_median_s=10,
        delivered_sigma=1.4,
        stalls_per_day=0.9,
        reports_delivered=False,
        suppress_after=3,
    ),
)
BOUNCE_MEDIAN_S, BOUNCE_SIGMA = 4.0, 1.2
STALL_MEDIAN_S, STALL_SIGMA, LONGEST_STALL_S = 34 * MINUTE, 0.55, 4 * HOUR
DELIVERED_ONLY_SHARE = 0.3  # of the stalls: the queue of bounces goes on


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which a source holds its webhooks back."""

    start: float
    end: float
    delivered_only: bool


class Post:
    """How long each webhook of each source is on its way."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._stalls: dict[str, list[Stall]] = {source.name: [] for source in SOURCES}

    def begin_day(self, day: int) -> None:
        """Decide when each source stalls today, in working hours."""
        for source in SOURCES:
            stalls = [stall for stall in self._stalls[source.name] if stall.end > (day - 1) * DAY]
            for _ in range(int(source.stalls_per_day + self._rng.random())):
                start = day * DAY + self._rng.uniform(6, 18) * HOUR
                length = min(self._rng.lognormvariate(math.log(STALL_MEDIAN_S), STALL_SIGMA), LONGEST_STALL_S)
                stalls.append(Stall(start, start + length, self._rng.random() < DELIVERED_ONLY_SHARE))
            self._stalls[source.name] = stalls

    def arrival(self, source: Source, happened: float, *, delivered: bool) -> float:
        """When the webhook about something that happened then is received."""
        median, sigma = (source.delivered_median_s, source.delivered_sigma) if delivered else (BOUNCE_MEDIAN_S, BOUNCE_SIGMA)
        ready = happened + self._rng.lognormvariate(math.log(median), sigma)
        for stall in self._stalls[source.name]:
            if stall.start <= ready < stall.end and (delivered or not stall.delivered_only):
                return stall.end + self._rng.expovariate(1 / MINUTE)
        return ready

    def again(self, arrival: float) -> float:
        """When the same webhook comes a second time."""
        return arrival + self._rng.expovariate(1 / (5 * MINUTE))


def deal_sources(rng: Random, count: int) -> list[Source]:
    """So many sources in random order, each as often as its share says."""
    borders = list(accumulate(source.share for source in SOURCES))
    start = rng.random() / count
    dealt = [SOURCES[min(bisect(borders, start + number / count), len(SOURCES) - 1)] for number in range(count)]
    rng.shuffle(dealt)
    return dealt
