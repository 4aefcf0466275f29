"""How are due checks taken, windows summed, and alerts and their transitions kept?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from service.alerting.counting import Cell
from service.alerting.decision import Counts, Decision, Reason
from service.alerting.holding import DueCheck
from service.alerting.lifecycle import Alert, Change, DomainView, Finding, Recovery
from service.alerting.policy import Policy
from service.model.moments import FILED_AHEAD_US, HOUR_US, SECOND_US
from service.model.words import AlertState, DomainClass, Severity
from service.store.tables import alert_transitions, alerts, domain_hourly, due_checks, events, leases, recipient_domains, source_lag

_SAMPLES = 20
NOBODY = ""  # the holder of a lease that was given up; one that ran out keeps its holder's name
_CLOCKS_APART_US = 300 * SECOND_US  # a lease that runs longer was given by a clock that is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """An alert and its id."""

    id: str
    alert: Alert


def acquire_lease(connection: Connection, name: str, holder: str, *, now_us: int, until_us: int) -> bool:
    """True where this holder has the lease from now on: it was free, run out, its own, or given by a clock that was wrong."""
    renewed = connection.execute(
        update(leases)
        .where(leases.c.name == name, (leases.c.holder == holder) | ~leases.c.until_us.between(now_us, until_us + _CLOCKS_APART_US))
        .values(holder=holder, until_us=until_us)
    )
    if renewed.rowcount == 1:
        return True
    if connection.execute(select(leases.c.name).where(leases.c.name == name)).first() is not None:
        return False  # somebody else holds it
    connection.execute(insert(leases).values(name=name, holder=holder, until_us=until_us))
    return True


def release_lease(connection: Connection, name: str, holder: str, *, now_us: int) -> None:
    """Give up the lease, where this holder has it: nobody holds it from now on, and anybody may take it."""
    statement = update(leases).where(leases.c.name == name, leases.c.holder == holder)
    connection.execute(statement.values(holder=NOBODY, until_us=now_us - 1))


def find_lease_us(connection: Connection, name: str) -> int | None:
    """Until when somebody holds the lease, or last held it; None where nobody ever did."""
    return connection.execute(select(leases.c.until_us).where(leases.c.name == name)).scalar()


def has_due(connection: Connection, now_us: int) -> bool:
    """True where a check is due."""
    return connection.execute(select(due_checks.c.domain).where(due_checks.c.due_us <= now_us).limit(1)).first() is not None


def take_due(connection: Connection, now_us: int, limit: int) -> dict[str, DueCheck]:
    """Take the checks that are due, oldest first; they are gone once the transaction commits."""
    rows = connection.execute(
        select(due_checks).where(due_checks.c.due_us <= now_us).order_by(due_checks.c.due_us).limit(limit).with_for_update(skip_locked=True)
    ).all()
    taken = {row.domain: DueCheck(row.first_us, row.widest_us, row.due_us) for row in rows}
    if taken:
        connection.execute(delete(due_checks).where(due_checks.c.domain.in_(taken)))
    return taken


def active_domain_hours(connection: Connection, now_us: int) -> int:
    """Recipient domains by hours with attempts in the last 24 hours: what e_min is scaled by."""
    hours = select(domain_hourly.c.domain, domain_hourly.c.hour).where(domain_hourly.c.hour > now_us // HOUR_US - 24).distinct()
    return connection.execute(select(func.count()).select_from(hours.subquery())).scalar_one()


def load_views(connection: Connection, domains: Collection[str], policy: Policy) -> dict[str, DomainView]:
    """What the decision looks at, for each of these domains that ever had an attempt."""
    blind = _sources_without_denominator(connection, policy)
    age = recipient_domains.c.newest_hour - domain_hourly.c.hour
    counts = domain_hourly.c
    rows = connection.execute(
        select(
            recipient_domains.c.domain,
            recipient_domains.c.domain_class,
            recipient_domains.c.newest_hour,
            age.label("age"),
            counts.source_id,
            *(func.sum(counts[name]).label(name) for name in ("warm_n", "warm_k", "cold_n", "cold_k")),
        )
        # Written so that the key serves it: the domain's rows from this hour on.
        .join(
            domain_hourly,
            and_(counts.domain == recipient_domains.c.domain, counts.hour > recipient_domains.c.newest_hour - policy.long_window_hours),
        )
        .where(recipient_domains.c.domain.in_(domains))
        .group_by(recipient_domains.c.domain, age, counts.source_id)
    ).all()
    by_domain: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_domain.setdefault(row.domain, []).append(row)
    return {domain: _view(domain, found, blind, policy) for domain, found in by_domain.items()}


def _sources_without_denominator(connection: Connection, policy: Policy) -> set[int]:
    return set(
        connection.execute(
            select(source_lag.c.source_id).where(source_lag.c.delivered_count == 0, source_lag.c.hard_count >= policy.nodenom_bounces)
        ).scalars()
    )


def _view(domain: str, rows: Sequence[Row[Any]], blind: set[int], policy: Policy) -> DomainView:
    windows = {
        hours: sum(
            (Counts(row.warm_n, row.warm_k, row.cold_n, row.cold_k) for row in rows if row.age < hours and row.source_id not in blind),
            Counts(),
        )
        for hours in policy.windows_hours
    }
    return DomainView(
        domain=domain,
        domain_class=DomainClass(rows[0].domain_class),
        newest_hour=rows[0].newest_hour,
        windows=windows,
        nodenom_people=sum(row.warm_k + row.cold_k for row in rows if row.source_id in blind),
    )


def load_newest(connection: Connection, domains: Collection[str]) -> dict[str, StoredAlert]:
    """The newest alert of each of these domains, open or closed."""
    rows = connection.execute(select(alerts).where(alerts.c.domain.in_(domains)).order_by(alerts.c.opened_us, alerts.c.updated_seq))
    return {row.domain: stored_alert(row) for row in rows}


def load_firing(connection: Connection) -> dict[str, tuple[StoredAlert, Recovery]]:
    """All firing alerts by domain, each with what is known of its domain's recovery."""
    rows = connection.execute(
        select(
            alerts,
            recipient_domains.c.last_hard_us,
            recipient_domains.c.delivered_since_hard,
            recipient_domains.c.last_attempt_us,
        )
        .join(recipient_domains, recipient_domains.c.domain == alerts.c.domain)
        .where(alerts.c.state == AlertState.FIRING)
    )
    return {
        row.domain: (
            stored_alert(row),
            Recovery(last_hard_us=row.last_hard_us, delivered_since_hard=row.delivered_since_hard, last_attempt_us=row.last_attempt_us),
        )
        for row in rows
    }


def stored_alert(row: Row[Any]) -> StoredAlert:
    """The alert that a row holds."""
    decision = Decision(
        reason=Reason.FIRES,
        counts=Counts(row.warm_n, row.warm_k, row.cold_n, row.cold_k),
        expected=row.expected,
        shrunk_rate=row.shrunk_rate,
        threshold=row.threshold,
        ln_e=row.ln_e,
        ln_e_min=row.ln_e_min,
    )
    return StoredAlert(
        id=row.id,
        alert=Alert(
            domain=row.domain,
            domain_class=DomainClass(row.domain_class),
            state=AlertState(row.state),
            severity=Severity(row.severity),
            finding=Finding(decision=decision, window_hours=row.window_hours, rate_known=row.rate_known),
            window_end_hour=row.window_end_hour,
            opened_us=row.opened_us,
            last_true_us=row.last_true_us,
            closed_us=row.closed_us,
            close_reason=Change(row.close_reason) if row.close_reason else None,
            reopen_count=row.reopen_count,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a check fired on, beside its numbers."""

    gateway: str | None
    hold_us: int
    first_event_us: int
    last_event_us: int
    sample_event_ids: tuple[int, ...]


def load_evidence(connection: Connection, alert: Alert, hold_us: int) -> Evidence:
    """The window's first and last attempt, its newest hard bounces, and the gateway in front of the domain."""
    first_hour = alert.window_end_hour - alert.finding.window_hours + 1
    hourly = domain_hourly.c
    first_us, last_us = connection.execute(
        select(func.min(hourly.first_us), func.max(hourly.last_us)).where(
            hourly.domain == alert.domain, hourly.hour.between(first_hour, alert.window_end_hour)
        )
    ).one()
    samples = connection.execute(
        select(events.c.id)
        .where(
            events.c.domain == alert.domain,
            events.c.occurred_us.between(first_hour * HOUR_US, (alert.window_end_hour + 1) * HOUR_US - 1),
            events.c.received_us >= first_hour * HOUR_US - FILED_AHEAD_US,  # leaves out the partitions of older months
            events.c.cell.in_((Cell.WARM_HARD, Cell.COLD_HARD)),
        )
        .order_by(events.c.occurred_us.desc())
        .limit(_SAMPLES)
    ).scalars()
    gateway = connection.execute(select(recipient_domains.c.gateway).where(recipient_domains.c.domain == alert.domain)).scalar()
    return Evidence(
        gateway=gateway or None, hold_us=hold_us, first_event_us=first_us, last_event_us=last_us, sample_event_ids=tuple(samples)
    )


def save_alert(
    connection: Connection, alert: Alert, change: Change, *, alert_id: str | None, evidence: Evidence | None, now_us: int
) -> str:
    """Write an alert as it is now, and its transition unless only numbers changed; returns its id."""
    sequence = connection.execute(select(func.coalesce(func.max(alerts.c.updated_seq), 0))).scalar_one() + 1
    values = _values(alert) | {"updated_us": now_us, "updated_seq": sequence} | (_evidence_values(evidence) if evidence else {})
    if alert_id is None:
        alert_id = uuid4().hex
        connection.execute(insert(alerts).values(id=alert_id, **values))
    else:
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**values))
    if change is not Change.REFRESHED:
        counts = alert.finding.decision.counts
        connection.execute(
            insert(alert_transitions).values(
                alert_id=alert_id,
                at_us=now_us,
                state=alert.state,
                reason=change,
                severity=alert.severity,
                attempts=counts.n,
                reported_hard=counts.k,
                ln_e=alert.finding.decision.ln_e,
            )
        )
    return alert_id


def _values(alert: Alert) -> dict[str, Any]:
    decision = alert.finding.decision
    counts = decision.counts
    return {
        "dedupe_key": f"domain:{alert.domain}",
        "domain": alert.domain,
        "domain_class": alert.domain_class,
        "state": alert.state,
        "severity": alert.severity,
        "window_hours": alert.finding.window_hours,
        "window_end_hour": alert.window_end_hour,
        "rate_known": alert.finding.rate_known,
        "warm_n": counts.warm_n,
        "warm_k": counts.warm_k,
        "cold_n": counts.cold_n,
        "cold_k": counts.cold_k,
        "ln_e": decision.ln_e,
        "ln_e_min": decision.ln_e_min,
        "expected": decision.expected,
        "shrunk_rate": decision.shrunk_rate,
        "threshold": decision.threshold,
        "opened_us": alert.opened_us,
        "last_true_us": alert.last_true_us,
        "closed_us": alert.closed_us,
        "close_reason": alert.close_reason,
        "reopen_count": alert.reopen_count,
    }


def _evidence_values(evidence: Evidence) -> dict[str, Any]:
    return {
        "gateway": evidence.gateway,
        "hold_us": evidence.hold_us,
        "first_event_us": evidence.first_event_us,
        "last_event_us": evidence.last_event_us,
        "sample_event_ids": orjson.dumps(evidence.sample_event_ids).decode(),
    }
