"""When would the alert decision fire on a stream of webhooks? A second, small implementation to compare a backtest with.

`python -m bench.world.reference FILE.jsonl` prints the transitions in the form of `backtest --json`. It knows no causes,
so every page is a warning. `--rule` and `--at-once` put a plainer rule, or no wait for the denominator, in its place.
"""

import argparse
import heapq
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.world.clock import DAY, FIRST_DAY, HOUR, MINUTE, stamp
from bench.world.ledger import Fact, Ledger, Sums
from bench.world.rule import BUSINESS, CONSUMER, COUNT_RULE_PEOPLE, GATEWAY, RULES, ClassRates, expected, is_spike
from bench.world.wording import CONSUMER_DOMAINS, gateway_of

HOLD_MIN_S, HOLD_MAX_S, LONGEST_HOLDS = 180.0, 1800.0, 3
LAG_UP, LAG_DOWN, BACKFILL_S = 0.0475, 0.0025, 6 * HOUR
BLIND_SOURCE_BOUNCES = 20  # hard bounces without any delivery before a source counts as reporting none
WINDOWS_HOURS = (2, 24)
RECOVER_DELIVERIES, RECOVER_QUIET_S, EXPIRE_S = 5, 30 * MINUTE, 14 * DAY
OLDEST_WINDOW_S = DAY


@dataclass(slots=True)
class SourceState:
    """What has been seen of one source."""

    log_lag: float = math.log(HOLD_MIN_S)
    deliveries: int = 0
    hard_bounces: int = 0

    @property
    def hold(self) -> float:
        """How long its deliveries are waited for."""
        return min(HOLD_MAX_S, max(HOLD_MIN_S, math.exp(self.log_lag)))

    def learn(self, lag: float) -> None:
        """Move the quantile by one delivered webhook."""
        if lag > BACKFILL_S:
            return
        self.log_lag += LAG_UP if math.log(max(lag, 1e-3)) > self.log_lag else -LAG_DOWN


@dataclass(slots=True)
class Check:
    """A check of one domain that is due."""

    first: float
    widest: float
    due: float


@dataclass(slots=True)
class DomainState:
    """What the life cycle needs to know of one domain."""

    rates: ClassRates
    gateway: str | None = None
    is_firing: bool = False
    last_true: float = -math.inf
    last_hard: float = -math.inf
    last_attempt: float = -math.inf
    latest_deliveries: list[float] = field(default_factory=list)  # in event time, as many as recovery takes

    def note(self, kind: str, happened: float) -> None:
        """Remember an attempt; the order of arrival makes no difference."""
        self.last_attempt = max(self.last_attempt, happened)
        if kind == "hard":
            self.last_hard = max(self.last_hard, happened)
        if kind == "delivered":
            self.latest_deliveries = sorted([*self.latest_deliveries, happened])[-RECOVER_DELIVERIES:]

    def is_over(self, now: float) -> bool:
        """Whether a firing alert may close: recovered, or long without a true check and without traffic."""
        recovered = len(self.latest_deliveries) == RECOVER_DELIVERIES and self.latest_deliveries[0] > self.last_hard
        if recovered and now - self.last_attempt >= RECOVER_QUIET_S:
            return True
        return now - max(self.last_true, self.last_attempt) >= EXPIRE_S


class Reference:
    """Reads webhooks in the order of receipt and yields transitions."""

    def __init__(self, rule: Callable[[Sums, ClassRates], bool] = is_spike, *, is_waiting: bool = True) -> None:
        self._is_spike = rule
        self._is_waiting = is_waiting
        self._ledger = Ledger()
        self._sources: dict[str, SourceState] = {}
        self._domains: dict[str, DomainState] = {}
        self._checks: dict[str, Check] = {}
        self._timer: list[tuple[float, str]] = []
        self._firing: set[str] = set()
        self._swept = 0.0
        self._seen: set[tuple[str, str]] = set()

    def run(self, lines: Iterable[str]) -> Iterator[dict[str, object]]:
        """All transitions."""
        now = 0.0
        for line in lines:
            event = json.loads(line)
            now = seconds(event["received_at"])
            yield from self._advance(now)
            identity = (event["source"], event["esp_event_id"])
            if identity not in self._seen:
                self._seen.add(identity)
                self._take(event, now)
        yield from self._advance(now + DAY)

    def _take(self, event: dict[str, str], now: float) -> None:
        kind = event["kind"] if event["kind"] == "delivered" else event["reported_type"]
        if event["kind"] not in {"delivered", "bounced"}:
            return
        address, happened = event["recipient"], seconds(event["occurred_at"])
        name = address.rpartition("@")[2]
        domain = self._domain(name, event["remote_host"])
        source = self._sources.setdefault(event["source"], SourceState())
        self._ledger.add(name, address, Fact(happened, kind != "delivered", event["esp_event_id"], event["source"], kind))
        domain.note(kind, happened)
        if kind == "delivered":
            source.deliveries += 1
            source.learn(now - happened)
        if kind == "hard":
            source.hard_bounces += 1
            self._schedule(name, source.hold if self._is_waiting else 0.0, now)

    def _domain(self, name: str, host: str | None) -> DomainState:
        domain = self._domains.get(name)
        if domain is None:
            domain = self._domains[name] = DomainState(CONSUMER if name in CONSUMER_DOMAINS else BUSINESS)
        if domain.gateway is None and host and domain.rates is not CONSUMER:
            domain.gateway = gateway_of(host)
            domain.rates = GATEWAY if domain.gateway else domain.rates
        return domain

    def _schedule(self, name: str, hold: float, now: float) -> None:
        check = self._checks.get(name)
        if check is None:
            check = self._checks[name] = Check(now, hold, now + hold)
            heapq.heappush(self._timer, (check.due, name))
        elif hold > HOLD_MIN_S:
            check.widest = max(check.widest, hold)
            check.due = min(max(check.due, now + hold), check.first + LONGEST_HOLDS * check.widest)

    def _advance(self, now: float) -> Iterator[dict[str, object]]:
        while self._timer and self._timer[0][0] <= now:
            at, name = heapq.heappop(self._timer)
            due = self._checks[name].due
            if due > at:
                heapq.heappush(self._timer, (due, name))
                continue
            yield from self._sweep(at)
            del self._checks[name]
            yield from self._check(name, at)
        yield from self._sweep(now)

    def _check(self, name: str, at: float) -> Iterator[dict[str, object]]:
        domain = self._domains[name]
        sums = self._spike(name, domain)
        if sums is None or at - (self._ledger.newest_hour[name] + 1) * HOUR > OLDEST_WINDOW_S:
            return
        domain.last_true = at
        if not domain.is_firing:
            domain.is_firing = True
            self._firing.add(name)
            yield self._transition(name, at, "firing", sums)

    def _spike(self, name: str, domain: DomainState) -> Sums | None:
        """The counts that fire; without any tried mails where only the count rule does."""
        seeing = {source for source, state in self._sources.items() if state.deliveries}
        for hours in WINDOWS_HOURS:
            sums = self._ledger.sums(name, hours, seeing)
            if self._is_spike(sums, domain.rates):
                return sums
        blind = {source for source, state in self._sources.items() if not state.deliveries and state.hard_bounces >= BLIND_SOURCE_BOUNCES}
        warm_k, _, cold_k, _ = self._ledger.sums(name, WINDOWS_HOURS[-1], blind)
        if domain.rates is CONSUMER or warm_k + cold_k < COUNT_RULE_PEOPLE:
            return None
        return warm_k, 0, cold_k, 0

    def _sweep(self, now: float) -> Iterator[dict[str, object]]:
        """Close what is over, once a minute."""
        while self._firing and self._swept + MINUTE <= now:
            self._swept += MINUTE
            for name in sorted(self._firing):
                if self._domains[name].is_over(self._swept):
                    self._domains[name].is_firing = False
                    self._firing.remove(name)
                    yield self._transition(name, self._swept, "resolved", None)
        self._swept = max(self._swept, now // MINUTE * MINUTE)

    def _transition(self, name: str, at: float, state: str, sums: Sums | None) -> dict[str, object]:
        domain = self._domains[name]
        line: dict[str, object] = {"at": stamp(at), "domain": name, "gateway": domain.gateway, "state": state, "severity": "warning"}
        line |= dict.fromkeys(("cause", "attempts", "reported_hard", "believed_hard", "rate", "baseline", "threshold", "incident"))
        if sums is None:
            return line
        bounced, tried = sums[0] + sums[2], sums[1] + sums[3]
        line["reported_hard"] = bounced
        if tried:
            baseline = expected(sums, domain.rates) / tried
            line |= {"attempts": tried, "rate": bounced / tried, "baseline": baseline, "threshold": domain.rates.floor}
        return line


def seconds(text: str) -> float:
    """Seconds since the world's first midnight."""
    return (datetime.fromisoformat(text) - FIRST_DAY).total_seconds()


def main() -> None:
    """Print the transitions of a file."""
    parser = argparse.ArgumentParser(prog="python -m bench.world.reference", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rule", choices=RULES, default="two-cell")
    parser.add_argument("--at-once", action="store_true", help="judge at each bounce")
    asked = parser.parse_args()
    with asked.file.open(encoding="utf-8") as lines:
        for transition in Reference(RULES[asked.rule], is_waiting=not asked.at_once).run(lines):
            sys.stdout.write(json.dumps(transition) + "\n")


if __name__ == "__main__":
    main()
