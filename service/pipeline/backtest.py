"""What would have fired, and when? The stored history through the very decisions that run live, on a virtual clock.

The clock follows receipt, the windows follow event time, and nothing is known before it was received. Only where the counts
are kept differs from the live pipeline: in memory, because a month has to take minutes.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil

from service.alerting.counting import CELL_COUNTS, DELIVERED_CELLS, HARD_CELLS, Attempt, Cell, History, fold, needs_refold
from service.alerting.decision import Counts
from service.alerting.holding import START_LOG_LAG, DueCheck, hold_us, learned, scheduled
from service.alerting.lifecycle import Alert, Change, DomainView, Recovery, after_check, after_sweep, is_stale, judge
from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.model.moments import HOUR_US, SECOND_US, hour_of
from service.model.words import AlertState
from service.store.timeline import TimelineEvent

_SWEEP_US = 60 * SECOND_US
_COUNT_COLUMNS = 4  # of CELL_COUNTS: warm_n, warm_k, cold_n, cold_k


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An alert that changed its state at a moment of the virtual clock."""

    at_us: int
    alert: Alert
    change: Change


@dataclass(slots=True)
class _Recipient:
    history: History = field(default_factory=History)
    attempts: list[Attempt] = field(default_factory=list)
    cells: dict[bytes, tuple[Cell, int]] = field(default_factory=dict)  # with the source's id


@dataclass(slots=True)
class _Domain:
    gateway: str = ""
    newest_hour: int = 0
    recovery: Recovery = field(default_factory=Recovery)
    buckets: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # (hour, source id): four counts
    check: DueCheck | None = None
    alert: Alert | None = None


@dataclass(slots=True)
class _Source:
    log_lag: float = START_LOG_LAG
    delivered: int = 0
    hard: int = 0


class Backtest:
    """The state of the world at one moment of the virtual clock."""

    def __init__(self, policy: Policy, book: DomainBook) -> None:
        self._policy = policy
        self._book = book
        self._recipients: dict[int, _Recipient] = defaultdict(_Recipient)
        self._domains: dict[str, _Domain] = defaultdict(_Domain)
        self._sources: dict[int, _Source] = defaultdict(_Source)
        self._due: list[tuple[int, str]] = []  # a heap; entries that were moved since are skipped
        self._firing: set[str] = set()
        self._active: dict[int, set[str]] = defaultdict(set)  # domains by hour of event
        self._next_sweep_us = 0
        self._e_min = policy.e_min
        self._scaled_us = 0

    def run(self, timeline: Iterable[TimelineEvent], until_us: int) -> Iterator[Transition]:
        """Go through the history and yield each transition up to a moment."""
        for item in timeline:
            yield from self._advance(item.received_us)
            self._take(item)
        yield from self._advance(until_us)

    def _advance(self, now_us: int) -> Iterator[Transition]:
        """Let the clock run: checks fall due and firing alerts are swept, in the order of their moments."""
        while True:
            sweep_us = self._next_sweep_us if self._firing else now_us + 1
            due_us = self._due[0][0] if self._due else now_us + 1
            if min(sweep_us, due_us) > now_us:
                break
            if due_us <= sweep_us:
                yield from self._check(*heapq.heappop(self._due))
            else:
                yield from self._sweep(sweep_us)
                self._next_sweep_us = sweep_us + _SWEEP_US
        if self._next_sweep_us <= now_us:
            self._next_sweep_us = ceil((now_us + 1) / _SWEEP_US) * _SWEEP_US

    def _take(self, item: TimelineEvent) -> None:
        """Count one event, learn from it, and schedule the check that it calls for."""
        cell = self._count(item)
        source, domain = self._sources[item.source_id], self._domains[item.domain]
        occurred_us = item.attempt.occurred_us
        source.hard += item.attempt.is_hard
        if item.is_delivered:
            source.delivered += 1
            source.log_lag = learned(source.log_lag, (item.received_us - occurred_us,))
        domain.gateway = domain.gateway or item.gateway
        domain.newest_hour = max(domain.newest_hour, hour_of(occurred_us))
        is_hard = cell in HARD_CELLS
        domain.recovery = domain.recovery.after(
            hard_us=occurred_us if is_hard else 0,
            delivered_us=(occurred_us,) if cell in DELIVERED_CELLS else (),
            attempt_us=occurred_us,
        )
        if is_hard:
            self._schedule(item, domain, source)

    def _schedule(self, item: TimelineEvent, domain: _Domain, source: _Source) -> None:
        policy = self._policy
        is_behind = hour_of(item.attempt.occurred_us) < domain.newest_hour - policy.stale_hours
        if is_behind or is_stale(domain.newest_hour, item.received_us, policy):
            return
        domain.check = scheduled(domain.check, item.received_us, hold_us(source.log_lag, policy), policy)
        heapq.heappush(self._due, (domain.check.due_us, item.domain))

    def _count(self, item: TimelineEvent) -> Cell:
        recipient, domain = self._recipients[item.recipient_id], self._domains[item.domain]
        recipient.attempts.append(item.attempt)
        self._active[hour_of(item.attempt.occurred_us)].add(item.domain)
        if needs_refold(recipient.history, (item.attempt,)):
            recipient.history, counted = fold(History(), recipient.attempts, self._policy.warm_days)
        else:
            recipient.history, counted = fold(recipient.history, (item.attempt,), self._policy.warm_days)
        for folded, cell in counted:
            old = recipient.cells.get(folded.key)
            if old is None:
                recipient.cells[folded.key] = (cell, item.source_id)
                _add(domain, folded, cell, item.source_id)
            elif old[0] != cell:
                recipient.cells[folded.key] = (cell, old[1])
                _add(domain, folded, old[0], old[1], sign=-1)
                _add(domain, folded, cell, old[1])
        return recipient.cells[item.attempt.key][0]

    def _check(self, due_us: int, name: str) -> Iterator[Transition]:
        domain = self._domains[name]
        if domain.check is None or domain.check.due_us != due_us:
            return
        domain.check = None
        self._scale(due_us)
        view = self._view(name, domain)
        finding = judge(view, self._policy, e_min=self._e_min)
        outcome = after_check(domain.alert, view, finding, now_us=due_us, policy=self._policy)
        if outcome is None:
            return
        domain.alert, change = outcome
        self._firing.add(name)
        if change is not Change.REFRESHED:
            yield Transition(at_us=due_us, alert=domain.alert, change=change)

    def _view(self, name: str, domain: _Domain) -> DomainView:
        policy = self._policy
        blind = {id_ for id_, source in self._sources.items() if not source.delivered and source.hard >= policy.nodenom_bounces}
        windows = dict.fromkeys(policy.windows_hours, Counts())
        nodenom_people = 0
        for (hour, source_id), counts in domain.buckets.items():
            age = domain.newest_hour - hour
            if source_id in blind:
                nodenom_people += counts[1] + counts[3] if age < policy.long_window_hours else 0
                continue
            for hours in policy.windows_hours:
                if age < hours:
                    windows[hours] += Counts(*counts)
        return DomainView(
            domain=name,
            domain_class=self._book.domain_class(name, domain.gateway or None),
            newest_hour=domain.newest_hour,
            windows=windows,
            nodenom_people=nodenom_people,
        )

    def _sweep(self, now_us: int) -> Iterator[Transition]:
        for name in sorted(self._firing):
            domain = self._domains[name]
            if domain.alert is None or domain.alert.state is not AlertState.FIRING:
                continue
            outcome = after_sweep(domain.alert, domain.recovery, now_us=now_us, policy=self._policy)
            if outcome is None:
                continue
            domain.alert, change = outcome
            self._firing.discard(name)
            yield Transition(at_us=now_us, alert=domain.alert, change=change)

    def _scale(self, now_us: int) -> None:
        """Once an hour: how much traffic is there, and what does that ask of the e-value?"""
        if now_us - self._scaled_us < HOUR_US:
            return
        self._scaled_us = now_us
        first_hour = hour_of(now_us) - 23
        for hour in [hour for hour in self._active if hour < first_hour]:
            del self._active[hour]
        self._e_min = self._policy.e_min_at(sum(map(len, self._active.values())))


def _add(domain: _Domain, folded: Attempt, cell: Cell, source_id: int, *, sign: int = 1) -> None:
    counts = domain.buckets.setdefault((hour_of(folded.occurred_us), source_id), [0] * _COUNT_COLUMNS)
    for index, change in enumerate(CELL_COUNTS[cell][:_COUNT_COLUMNS]):
        counts[index] += sign * change
