"""When would the alert decision fire on a stream of webhooks? A second, small implementation to compare a backtest with.

`python -m bench.world.reference FILE.jsonl` prints the transitions in the form of `backtest --json`. It knows no causes,
so every page is a warning, and `firing` and `resolved` by recovery are the only states.
"""

import argparse
import heapq
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.world.clock import DAY, FIRST_DAY, HOUR, MINUTE, stamp
from bench.world.ledger import Fact, Ledger, Sums
from bench.world.rule import BUSINESS, CONSUMER, COUNT_RULE_PEOPLE, GATEWAY, ClassRates, expected, is_spike
from bench.world.wording import CONSUMER_DOMAINS, gateway_of

HOLD_MIN_S, HOLD_MAX_S, LONGEST_HOLDS = 180.0, 1800.0, 3
LAG_UP, LAG_DOWN, BACKFILL_S = 0.0475, 0.0025, 6 * HOUR
BLIND_SOURCE_BOUNCES = 20  # hard bounces without any delivery before a source counts as reporting none
WINDOWS_HOURS = (2, 24)
RECOVER_DELIVERIES, RECOVER_QUIET_S = 5, 30 * MINUTE
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
    last_hard: float = -math.inf
    last_attempt: float = -math.inf
    deliveries_since: int = 0


class Reference:
    """Reads webhooks in the order of receipt and yields transitions."""

    def __init__(self) -> None:
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
        domain.last_attempt = max(domain.last_attempt, happened)
        if kind == "delivered":
            source.deliveries += 1
            source.learn(now - happened)
            domain.deliveries_since += happened > domain.last_hard
        if kind == "hard":
            source.hard_bounces += 1
            self._note_hard(domain, happened)
            self._schedule(name, source.hold, now)

    def _note_hard(self, domain: DomainState, happened: float) -> None:
        if happened > domain.last_hard:
            domain.last_hard, domain.deliveries_since = happened, 0

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
        window_end = (self._ledger.newest_hour[name] + 1) * HOUR
        if domain.is_firing or at - window_end > OLDEST_WINDOW_S:
            return
        seeing = {source for source, state in self._sources.items() if state.deliveries}
        for hours in WINDOWS_HOURS:
            sums = self._ledger.sums(name, hours, seeing)
            if is_spike(sums, domain.rates):
                yield self._fire(name, at, sums)
                return
        blind = {source for source, state in self._sources.items() if not state.deliveries and state.hard_bounces >= BLIND_SOURCE_BOUNCES}
        warm_k, _, cold_k, _ = self._ledger.sums(name, WINDOWS_HOURS[-1], blind)
        if domain.rates is not CONSUMER and warm_k + cold_k >= COUNT_RULE_PEOPLE:
            yield self._fire(name, at, (warm_k, 0, cold_k, 0))

    def _fire(self, name: str, at: float, sums: Sums) -> dict[str, object]:
        self._domains[name].is_firing = True
        self._firing.add(name)
        return self._transition(name, at, "firing", sums)

    def _sweep(self, now: float) -> Iterator[dict[str, object]]:
        """Close what has recovered, once a minute."""
        while self._firing and self._swept + MINUTE <= now:
            self._swept += MINUTE
            for name in sorted(self._firing):
                domain = self._domains[name]
                if domain.deliveries_since >= RECOVER_DELIVERIES and self._swept - domain.last_attempt >= RECOVER_QUIET_S:
                    domain.is_firing = False
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
    with parser.parse_args().file.open(encoding="utf-8") as lines:
        for transition in Reference().run(lines):
            sys.stdout.write(json.dumps(transition) + "\n")


if __name__ == "__main__":
    main()
