"""What becomes of a domain's alert: does it open, open again, close, or stay as it is?

    (no alert) --check is true--> firing --recovered or expired--> resolved --true again within reopen_hours--> firing

A check that is false changes nothing: silence is no recovery, only deliveries in a row are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from service.alerting.decision import Counts, Decision, Reason, decide
from service.alerting.policy import Policy
from service.model.moments import DAY_US, HOUR_US, SECOND_US
from service.model.values import passing
from service.model.words import AlertState, DomainClass, Severity


class Change(StrEnum):
    """Why an alert changed."""

    OPENED = "opened"
    REOPENED = "reopened"
    REFRESHED = "refreshed"  # numbers only: no transition
    RECOVERED = "recovered"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainView:
    """All that the decision on one recipient domain looks at."""

    domain: str
    domain_class: DomainClass
    newest_hour: int  # the windows end here
    windows: Mapping[int, Counts]  # by hours, over sources that tell of delivered mail
    nodenom_people: int  # people bounced in the long window at sources that do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check that came out true, or the judged window that came nearest to it."""

    decision: Decision
    window_hours: int
    rate_known: bool

    @property
    def fires(self) -> bool:
        """True where there is a spike."""
        return self.decision.fires


@passing(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Whether a domain takes mail again. Zero means never."""

    last_hard_us: int = 0
    delivered_since_hard: int = 0
    last_attempt_us: int = 0

    def after(self, *, hard_us: int, delivered_us: tuple[int, ...], attempt_us: int) -> "Recovery":
        """The state after a batch: its newest hard bounce (0 = none), its deliveries, its newest attempt."""
        last_hard_us = max(self.last_hard_us, hard_us)
        kept = self.delivered_since_hard if last_hard_us == self.last_hard_us else 0
        newer = sum([moment > last_hard_us for moment in delivered_us])
        return Recovery(last_hard_us=last_hard_us, delivered_since_hard=kept + newer, last_attempt_us=max(self.last_attempt_us, attempt_us))


def judge(view: DomainView, policy: Policy, *, e_min: float) -> Finding:
    """The first window that fires, else the long one with the reason why it does not."""
    thresholds = policy.thresholds(view.domain_class)
    findings = [
        Finding(decision=decide(view.windows[hours], thresholds, policy, e_min=e_min), window_hours=hours, rate_known=True)
        for hours in policy.windows_hours
    ]
    spike = next((finding for finding in findings if finding.fires), None)
    return spike or _count_rule(view, policy) or findings[-1]


def _count_rule(view: DomainView, policy: Policy) -> Finding | None:
    """Without a denominator there is no rate: people are counted, and consumer domains never fire."""
    if view.domain_class is DomainClass.CONSUMER or view.nodenom_people < policy.nodenom_warn:
        return None
    decision = Decision(
        reason=Reason.FIRES,
        counts=Counts(cold_n=view.nodenom_people, cold_k=view.nodenom_people),
        expected=0.0,
        shrunk_rate=0.0,
        threshold=0.0,
        ln_e=0.0,
        ln_e_min=0.0,
    )
    return Finding(decision=decision, window_hours=policy.long_window_hours, rate_known=False)


def severity_of(finding: Finding, policy: Policy) -> Severity:
    """Critical where many people and most of the mail are refused; no rate, no critical."""
    counts = finding.decision.counts
    if finding.rate_known and counts.k >= policy.critical_k and counts.rate >= policy.critical_rate:
        return Severity.CRITICAL
    return Severity.WARNING


def is_stale(newest_hour: int, now_us: int, policy: Policy) -> bool:
    """True where the window ended too long ago to open an alert on it."""
    return now_us - (newest_hour + 1) * HOUR_US > policy.stale_hours * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One spike at one recipient domain: its state, and the numbers of the last check that was true."""

    domain: str
    domain_class: DomainClass
    state: AlertState
    severity: Severity
    finding: Finding
    window_end_hour: int
    opened_us: int
    last_true_us: int
    closed_us: int | None = None
    close_reason: Change | None = None
    reopen_count: int = 0


def after_check(alert: Alert | None, view: DomainView, finding: Finding, *, now_us: int, policy: Policy) -> tuple[Alert, Change] | None:
    """What a check makes of the newest alert of its domain; None where nothing changes."""
    if not finding.fires:
        return None
    is_open = alert is not None and alert.state is AlertState.FIRING
    if not is_open and is_stale(view.newest_hour, now_us, policy):
        return None
    severity = severity_of(finding, policy)
    if alert is None or not (is_open or _may_reopen(alert, now_us, policy)):
        return _opened(view, finding, severity, now_us), Change.OPENED
    louder = alert.severity if alert.severity is Severity.CRITICAL else severity
    seen = replace(
        alert,
        domain_class=view.domain_class,
        severity=louder,
        finding=finding,
        window_end_hour=view.newest_hour,
        last_true_us=now_us,
    )
    if is_open:
        return seen, Change.REFRESHED
    return _reopened(seen), Change.REOPENED


def _may_reopen(alert: Alert, now_us: int, policy: Policy) -> bool:
    return alert.closed_us is not None and now_us - alert.closed_us <= policy.reopen_hours * HOUR_US


def _opened(view: DomainView, finding: Finding, severity: Severity, now_us: int) -> Alert:
    return Alert(
        domain=view.domain,
        domain_class=view.domain_class,
        state=AlertState.FIRING,
        severity=severity,
        finding=finding,
        window_end_hour=view.newest_hour,
        opened_us=now_us,
        last_true_us=now_us,
    )


def _reopened(alert: Alert) -> Alert:
    return replace(alert, state=AlertState.FIRING, closed_us=None, close_reason=None, reopen_count=alert.reopen_count + 1)


def after_sweep(alert: Alert, recovery: Recovery, *, now_us: int, policy: Policy) -> tuple[Alert, Change] | None:
    """A firing alert closes on proof of recovery, or after long silence without one; None where it stays open."""
    change = _closing(recovery, last_true_us=alert.last_true_us, now_us=now_us, policy=policy)
    if change is None:
        return None
    return replace(alert, state=AlertState.RESOLVED, closed_us=now_us, close_reason=change), change


def _closing(recovery: Recovery, *, last_true_us: int, now_us: int, policy: Policy) -> Change | None:
    is_quiet = now_us - recovery.last_attempt_us >= policy.recover_quiet_seconds * SECOND_US
    is_clear = now_us - last_true_us >= policy.recover_clear_hours * HOUR_US  # a busy domain is never quiet
    if recovery.delivered_since_hard >= policy.recover_deliveries and (is_quiet or is_clear):
        return Change.RECOVERED
    expires_us = policy.expire_days * DAY_US
    if now_us - last_true_us >= expires_us and now_us - recovery.last_attempt_us >= expires_us:
        return Change.EXPIRED
    return None
