"""What does a batch say about recipient domains and sources, and which domains become due by it?"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.alerting.counting import DELIVERED_CELLS, HARD_CELLS, Cell
from service.alerting.holding import hold_us, learned, scheduled
from service.alerting.lifecycle import is_stale
from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.model.moments import hour_of
from service.model.words import EventKind
from service.pipeline.incoming import Incoming
from service.store import ingest
from service.store.database import Connection
from service.store.ingest import DomainRow, LagRow


@dataclass(slots=True)
class DomainChange:
    """What one batch says about one recipient domain."""

    gateway_by_host: str = ""
    gateway_by_words: str = ""
    newest_us: int = 0
    hard_us: int = 0
    delivered_us: list[int] = field(default_factory=list)
    hard_sources: set[int] = field(default_factory=set)


def update_domains(
    connection: Connection, new: Sequence[Incoming], cells: Mapping[bytes, Cell], *, policy: Policy, book: DomainBook, now_us: int
) -> None:
    """Write what the batch says about domains and lags, and schedule the checks that it calls for."""
    changes = _domain_changes(new, cells)
    rows = ingest.lock_domains(connection, sorted(changes))
    for domain, change in changes.items():
        row = rows.get(domain) or DomainRow(domain_class="")
        gateway = change.gateway_by_host or row.gateway or change.gateway_by_words
        rows[domain] = DomainRow(
            domain_class=str(book.domain_class(domain, gateway or None)),
            gateway=gateway,
            newest_hour=max(row.newest_hour, hour_of(change.newest_us)),
            recovery=row.recovery.after(hard_us=change.hard_us, delivered_us=tuple(change.delivered_us), attempt_us=change.newest_us),
        )
    ingest.save_domains(connection, rows)
    lags = _learn_lags(connection, new)
    schedule_checks(connection, changes, rows, lags, policy=policy, now_us=now_us)


def _domain_changes(new: Sequence[Incoming], cells: Mapping[bytes, Cell]) -> dict[str, DomainChange]:
    changes: dict[str, DomainChange] = defaultdict(DomainChange)
    for item in new:
        labelled = item.labelled
        cell, occurred_us = cells.get(labelled.key), labelled.occurred_us
        if cell is None:
            continue
        change = changes[labelled.domain]
        if labelled.is_gateway_by_host:
            change.gateway_by_host = labelled.gateway
        elif labelled.gateway and not change.gateway_by_words:
            change.gateway_by_words = labelled.gateway
        change.newest_us = max(change.newest_us, occurred_us)
        if cell in DELIVERED_CELLS:
            change.delivered_us.append(occurred_us)
        elif cell in HARD_CELLS:
            change.hard_us = max(change.hard_us, occurred_us)
            change.hard_sources.add(item.source.id)
    return changes


def _learn_lags(connection: Connection, new: Sequence[Incoming]) -> dict[int, LagRow]:
    moved: dict[int, tuple[float, int, int, int, int]] = {}
    by_source: dict[int, list[Incoming]] = defaultdict(list)
    for item in new:
        by_source[item.source.id].append(item)
    lags = ingest.load_lags(connection, by_source)
    for source_id, items in by_source.items():
        row = lags.get(source_id) or LagRow()
        delivered = [item for item in items if item.labelled.event.kind is EventKind.DELIVERED]
        taught = learned(row.log_lag_seconds, [item.received_us - item.labelled.occurred_us for item in delivered if item.teaches_lag])
        hard = sum([item.labelled.counts_as_hard for item in items])
        moved[source_id] = (
            taught - row.log_lag_seconds,
            len(delivered),
            hard,
            max([item.received_us for item in items]),
            max([item.labelled.occurred_us for item in items]),
        )
        lags[source_id] = LagRow(
            log_lag_seconds=taught, delivered_count=row.delivered_count + len(delivered), hard_count=row.hard_count + hard
        )
    ingest.add_lags(connection, moved)
    return lags


def schedule_checks(
    connection: Connection,
    changes: Mapping[str, DomainChange],
    rows: Mapping[str, DomainRow],
    lags: Mapping[int, LagRow],
    *,
    policy: Policy,
    now_us: int,
) -> None:
    """A hard bounce, fresh or not, makes its domain due once the wait for its denominator is over."""
    wanted = {
        domain: max(hold_us(lags[source_id].log_lag_seconds, policy) for source_id in change.hard_sources)
        for domain, change in changes.items()
        if change.hard_sources and _may_page(change, rows[domain], now_us=now_us, policy=policy)
    }
    checks = ingest.load_due_checks(connection, sorted(wanted))
    ingest.save_due_checks(connection, {domain: scheduled(checks.get(domain), now_us, hold, policy) for domain, hold in wanted.items()})


def _may_page(change: DomainChange, row: DomainRow, *, now_us: int, policy: Policy) -> bool:
    """False for what only corrects history: far behind the domain's newest hour, or in a window that is long over."""
    is_behind = hour_of(change.hard_us) < row.newest_hour - policy.stale_hours
    return not is_behind and not is_stale(row.newest_hour, now_us, policy)
