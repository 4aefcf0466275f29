"""Which domains are due, and what becomes of their alerts?

Evaluation holds a lease, so that however many workers run, exactly one decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from service.alerting.holding import DueCheck
from service.alerting.lifecycle import Alert, Change, after_check, after_sweep, judge
from service.alerting.policy import Policy
from service.model.moments import HOUR_US, SECOND_US
from service.pipeline.retain import Housekeeper
from service.pipeline.watch import SourceWatch
from service.store import alerts as store
from service.store import proofs
from service.store.database import Connection, Database

log = structlog.get_logger()
_LEASE = "evaluate"
_LEASE_US = 30 * SECOND_US
_SWEEP_US = 60 * SECOND_US
_CHECKS_AT_ONCE = 500
_PROOFS_KEPT_US = 72 * HOUR_US  # longer than any adapter's replay window
_AWAY_US = HOUR_US  # nobody held the lease for so long: Hopp was away, and may have been deaf


class _Transition(NamedTuple):
    id: str
    alert: Alert
    change: Change


@dataclass(slots=True)
class Evaluator:
    """Takes due checks and sweeps firing alerts, whenever it is asked and it is time."""

    database: Database
    policy: Policy
    holder: str
    watch: SourceWatch = field(default_factory=SourceWatch)
    housekeeper: Housekeeper | None = None
    _swept_us: int = 0
    _scaled_us: int = 0
    _watched_from_us: int = 0
    _e_min: float = field(default=0.0)

    def run(self, now_us: int, *, is_caught_up: bool = True) -> list[tuple[Alert, Change]]:
        """Evaluate what is due at this moment; returns the transitions, most often none.

        Sources are looked at only while the inbox is `is_caught_up`: what still waits there was posted, and is no silence.
        """
        sweeps = not 0 <= now_us - self._swept_us < _SWEEP_US  # a clock that was set back does not put it off
        if not sweeps and not self._has_due(now_us):
            return []
        with self.database.write() as connection:
            lease_us = store.find_lease_us(connection, _LEASE)
            if not store.acquire_lease(connection, _LEASE, self.holder, now_us=now_us, until_us=now_us + _LEASE_US):
                return []
            if lease_us is not None and now_us - lease_us > _AWAY_US:
                self._watched_from_us = now_us
            self._scale(connection, now_us)
            changed = self._check(connection, store.take_due(connection, now_us, _CHECKS_AT_ONCE), now_us)
            if sweeps:
                changed += self._sweep(connection, now_us)
                self._swept_us = now_us
        for transition in changed:
            _tell(transition)
        if sweeps and is_caught_up:
            self._look_at_sources(now_us)
        if sweeps and self.housekeeper is not None:
            self.housekeeper.look(now_us)
        return [(alert, change) for _, alert, change in changed]

    def release(self, now_us: int) -> None:
        """Let another worker evaluate from now on: this one stops."""
        with self.database.write() as connection:
            store.release_lease(connection, _LEASE, self.holder, now_us=now_us)

    def _look_at_sources(self, now_us: int) -> None:
        """A transaction of its own: what is wrong with a source must not hold up the alerts of the domains."""
        with self.database.write() as connection:
            found = self.watch.look(connection, now_us=now_us, watched_from_us=self._watched_from_us)
        for name, alert, change in found:
            log.warning("source_alert_changed", source=name, trouble=alert.trouble, change=change, state=alert.state)

    def _has_due(self, now_us: int) -> bool:
        """Ask before taking a write lock and a sync: most often there is nothing to do."""
        with self.database.read() as connection:
            return store.has_due(connection, now_us)

    def _scale(self, connection: Connection, now_us: int) -> None:
        """Once an hour: how much traffic is there, and what does that ask of the e-value? Also forget old proofs."""
        if self._e_min and 0 <= now_us - self._scaled_us < HOUR_US:
            return
        self._e_min = self.policy.e_min_at(store.active_domain_hours(connection, now_us))
        self._scaled_us = now_us
        proofs.forget_proofs(connection, now_us - _PROOFS_KEPT_US)

    def _check(self, connection: Connection, due: Mapping[str, DueCheck], now_us: int) -> list[_Transition]:
        if not due:
            return []
        views = store.load_views(connection, list(due), self.policy)
        newest = store.load_newest(connection, list(due))
        changed = []
        for domain, view in views.items():
            finding = judge(view, self.policy, e_min=self._e_min)
            known = newest.get(domain)
            outcome = after_check(known.alert if known else None, view, finding, now_us=now_us, policy=self.policy)
            if outcome is None:
                continue
            alert, change = outcome
            evidence = store.load_evidence(connection, alert, due[domain].widest_us)
            known_id = None if known is None or change is Change.OPENED else known.id
            alert_id = store.save_alert(connection, alert, change, alert_id=known_id, evidence=evidence, now_us=now_us)
            if change is not Change.REFRESHED:
                changed.append(_Transition(alert_id, alert, change))
        return changed

    def _sweep(self, connection: Connection, now_us: int) -> list[_Transition]:
        closed = []
        for stored, recovery in store.load_firing(connection).values():
            outcome = after_sweep(stored.alert, recovery, now_us=now_us, policy=self.policy)
            if outcome is None:
                continue
            store.save_alert(connection, *outcome, alert_id=stored.id, evidence=None, now_us=now_us)
            closed.append(_Transition(stored.id, *outcome))
        return closed


def _tell(transition: _Transition) -> None:
    """In the words and with the figures of the alert that the API gives under this id."""
    alert = transition.alert
    counts = alert.finding.decision.counts
    log.info(
        "alert_changed",
        alert=transition.id,
        domain=alert.domain,
        change=transition.change,
        severity=alert.severity,
        state=alert.state,
        reported_hard=counts.k,
        attempts=counts.n,
        window_hours=alert.finding.window_hours,
    )
