"""How does a batch of labelled events become rows? A fold: any order and any repetition gives the same tables.

The order of the steps matters and is the order of the functions in `record`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import orjson

from service.alerting.counting import CELL_COUNTS, Attempt, Cell, History, attempt, fold, needs_refold
from service.alerting.holding import hold_us, learned, scheduled
from service.alerting.lifecycle import is_stale
from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.model.events import Event
from service.model.moments import hour_of
from service.model.words import EventKind, Phase
from service.pipeline.labelling import LabelledEvent
from service.store import ingest
from service.store.database import Connection
from service.store.ingest import DomainRow, HourlyKey, LagRow, RecipientRow, SourceRow

_ENGAGED = frozenset({EventKind.OPENED, EventKind.CLICKED})
_HARD_CELLS = frozenset({Cell.WARM_HARD, Cell.COLD_HARD, Cell.REPEAT_HARD})
_DELIVERED_CELLS = frozenset({Cell.WARM_DELIVERED, Cell.COLD_DELIVERED})


@dataclass(frozen=True, slots=True)
class Incoming:
    """A labelled event and how it came."""

    labelled: LabelledEvent
    source: SourceRow
    delivery_id: str
    received_us: int
    teaches_lag: bool  # False for history from a file

    @property
    def is_attempt(self) -> bool:
        """True where it is counted in rates: delivered or bounced, to somebody, by no test source."""
        labelled = self.labelled
        is_final = labelled.event.kind in {EventKind.DELIVERED, EventKind.BOUNCED}
        return is_final and bool(labelled.domain) and not self.source.is_test


@dataclass(slots=True)
class Counted:
    """What the fold of one batch changes."""

    cells: dict[bytes, Cell] = field(default_factory=dict)  # of the new events
    corrected: dict[bytes, Cell] = field(default_factory=dict)  # of events stored before
    hourly: dict[HourlyKey, list[int]] = field(default_factory=dict)
    recipients: dict[str, RecipientRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch."""

    kept: tuple[Incoming, ...]
    duplicates_by_delivery: Counter[str]
    touched_domains: frozenset[str]


def record(connection: Connection, batch: Sequence[Incoming], *, policy: Policy, book: DomainBook, now_us: int) -> Recorded:
    """Write a batch in the open transaction, and schedule the checks that it calls for.

    1. Recipients are locked before known events are looked up: after that, nobody else can add one of theirs.
    2. Recipients are folded before events are written: the cell is a column of the event.
    3. Domains, lags and checks come last: they are the rows that several workers want, and are held only until the commit.
    """
    unique = list({item.labelled.key: item for item in reversed(batch)}.values())[::-1]
    addresses = {item.labelled.event.recipient: item.labelled.domain for item in unique if item.labelled.event.recipient}
    recipients = ingest.lock_recipients(connection, addresses)
    known = ingest.known_event_keys(connection, [item.labelled.key for item in unique])
    new = [item for item in unique if item.labelled.key not in known]
    counted = _count(connection, new, recipients, policy)
    ingest.insert_events(connection, [_event_row(item, recipients, counted.cells) for item in new])
    ingest.change_cells(connection, counted.corrected)
    ingest.save_recipients(connection, counted.recipients.values())
    ingest.add_hourly(connection, counted.hourly)
    _update_domains(connection, new, counted.cells, policy=policy, book=book, now_us=now_us)
    return Recorded(
        kept=tuple(new),
        duplicates_by_delivery=Counter(item.delivery_id for item in batch) - Counter(item.delivery_id for item in new),
        touched_domains=frozenset(item.labelled.domain for item in new if item.is_attempt),
    )


def _count(connection: Connection, new: Sequence[Incoming], recipients: dict[str, RecipientRow], policy: Policy) -> Counted:
    counted = Counted()
    by_address: dict[str, list[Incoming]] = defaultdict(list)
    for item in new:
        address = item.labelled.event.recipient
        if address and (item.is_attempt or item.labelled.event.kind in _ENGAGED):
            by_address[address].append(item)
    refolds: dict[str, list[Incoming]] = {}
    for address, items in by_address.items():
        row = _with_engagement(recipients[address], items)
        counted.recipients[address] = row
        attempts = [_attempt(item) for item in items if item.is_attempt]
        if needs_refold(row.history, attempts):
            refolds[address] = items
            continue
        history, cells = fold(row.history, attempts, policy.warm_days)
        _take_cells(counted, items, cells)
        counted.recipients[address] = replace(row, history=history)
    _refold(connection, refolds, counted, policy)
    return counted


def _with_engagement(row: RecipientRow, items: Sequence[Incoming]) -> RecipientRow:
    engaged_us = max((item.labelled.occurred_us for item in items if item.labelled.event.kind in _ENGAGED), default=0)
    hard = sum(item.labelled.counts_as_hard for item in items if item.is_attempt)
    return replace(row, last_engaged_us=max(row.last_engaged_us, engaged_us), hard_count=row.hard_count + hard)


def _attempt(item: Incoming) -> Attempt:
    labelled = item.labelled
    return attempt(
        kind=labelled.event.kind,
        occurred_us=labelled.occurred_us,
        key=labelled.key,
        is_hard=labelled.counts_as_hard,
        phase=labelled.event.phase,
        message_id=labelled.event.message_id,
    )


def _take_cells(counted: Counted, items: Iterable[Incoming], cells: Iterable[tuple[Attempt, Cell]]) -> None:
    by_key = {item.labelled.key: item for item in items}
    for folded, cell in cells:
        item = by_key.get(folded.key)
        if item is None:
            continue
        counted.cells[folded.key] = cell
        _add(counted.hourly, _hourly_key(item), cell, folded.occurred_us)


def _hourly_key(item: Incoming) -> HourlyKey:
    labelled = item.labelled
    return (
        labelled.domain,
        hour_of(labelled.occurred_us),
        item.source.id,
        labelled.event.sending_ip or "",
        labelled.event.campaign or "",
    )


def _add(hourly: dict[HourlyKey, list[int]], key: HourlyKey, cell: Cell, occurred_us: int, *, sign: int = 1) -> None:
    counts = hourly.get(key)
    if counts is None:
        counts = hourly[key] = [0, 0, 0, 0, 0, 0, occurred_us, occurred_us]
    for index, change in enumerate(CELL_COUNTS[cell]):
        counts[index] += sign * change
    # First and last are over all attempts of the bucket, however they are counted: so no correction takes them back.
    counts[6] = min(counts[6], occurred_us)
    counts[7] = max(counts[7], occurred_us)


def _refold(connection: Connection, refolds: dict[str, list[Incoming]], counted: Counted, policy: Policy) -> None:
    """Count recipients anew from all their attempts, and correct what was counted differently before."""
    if not refolds:
        return
    addresses = {counted.recipients[address].id: address for address in refolds}
    stored: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in ingest.load_attempt_rows(connection, list(addresses)):
        values = dict(zip(ingest.ATTEMPT_COLUMNS, row, strict=True))
        stored[addresses[row[0]]].append(values)
    for address, items in refolds.items():
        old = {bytes(values["event_key"]): values for values in stored[address]}  # type: ignore[call-overload]
        attempts = [_stored_attempt(values) for values in old.values()]
        attempts += [_attempt(item) for item in items if item.is_attempt]
        history, cells = fold(History(), attempts, policy.warm_days)
        _take_cells(counted, items, cells)
        domain = address.rpartition("@")[2]
        for folded, cell in cells:
            values = old.get(folded.key)
            if values is not None and values["cell"] != cell:
                _correct(counted, domain, values, cell)
        counted.recipients[address] = replace(counted.recipients[address], history=history)


def _stored_attempt(values: dict[str, object]) -> Attempt:
    return attempt(
        kind=EventKind(values["kind"]),
        occurred_us=int(values["occurred_us"]),  # type: ignore[call-overload]
        key=bytes(values["event_key"]),  # type: ignore[call-overload]
        is_hard=bool(values["counts_as_hard"]),
        phase=Phase(values["phase"]),
        message_id=values["message_id"],  # type: ignore[arg-type]
    )


def _correct(counted: Counted, domain: str, values: dict[str, object], cell: Cell) -> None:
    occurred_us = int(values["occurred_us"])  # type: ignore[call-overload]
    key = (domain, hour_of(occurred_us), values["source_id"], values["sending_ip"] or "", values["campaign"] or "")
    _add(counted.hourly, key, Cell(values["cell"]), occurred_us, sign=-1)  # type: ignore[arg-type]
    _add(counted.hourly, key, cell, occurred_us)  # type: ignore[arg-type]
    counted.corrected[bytes(values["event_key"])] = cell  # type: ignore[call-overload]


def _event_row(item: Incoming, recipients: dict[str, RecipientRow], cells: dict[bytes, Cell]) -> tuple[object, ...]:
    """The row of one event, in the order of EVENT_COLUMNS."""
    labelled, event, said = item.labelled, item.labelled.event, item.labelled.classification
    return (
        labelled.key,
        item.delivery_id,
        item.source.id,
        recipients[event.recipient].id if event.recipient else None,
        labelled.domain,
        event.kind.value,
        labelled.occurred_us,
        labelled.reported_us,
        item.received_us,
        int(cells.get(labelled.key, Cell.NOT_COUNTED)),
        event.esp,
        event.phase.value,
        event.reported_type and event.reported_type.value,
        labelled.counts_as_hard,
        *((said.label.value, said.group, said.persistence.value, said.doubt.value, said.rule) if said else (None,) * 5),
        said and said.vendor,
        said and said.evidence,
        labelled.gateway,
        event.smtp_code,
        event.enhanced_status_code,
        event.smtp_stage and event.smtp_stage.value,
        event.diagnostic,
        event.message_id,
        event.esp_event_id,
        event.esp_event_type,
        event.esp_class,
        event.esp_subclass,
        event.remote_host,
        event.remote_ip,
        event.sending_ip,
        event.campaign,
        event.suppressed_by_esp,
        _extra(event),
    )


def _extra(event: Event) -> str | None:
    extra = {"tags": event.tags, "metadata": event.metadata, "subject": event.subject}
    present = {name: value for name, value in extra.items() if value}
    return orjson.dumps(present).decode() if present else None


@dataclass(slots=True)
class _DomainChange:
    """What one batch says about one recipient domain."""

    gateway: str = ""
    newest_us: int = 0
    hard_us: int = 0
    delivered_us: list[int] = field(default_factory=list)
    hard_sources: set[int] = field(default_factory=set)


def _update_domains(
    connection: Connection, new: Sequence[Incoming], cells: dict[bytes, Cell], *, policy: Policy, book: DomainBook, now_us: int
) -> None:
    changes = _domain_changes(new, cells)
    rows = ingest.lock_domains(connection, sorted(changes))
    for domain, change in changes.items():
        row = rows.get(domain) or DomainRow(domain_class="")
        gateway = change.gateway or row.gateway
        rows[domain] = DomainRow(
            domain_class=book.domain_class(domain, gateway or None).value,
            gateway=gateway,
            newest_hour=max(row.newest_hour, hour_of(change.newest_us)),
            recovery=row.recovery.after(
                hard_us=change.hard_us, delivered_us=tuple(change.delivered_us), attempt_us=change.newest_us
            ),
        )
    ingest.save_domains(connection, rows)
    lags = _learn_lags(connection, new)
    _schedule(connection, changes, rows, lags, policy=policy, now_us=now_us)


def _domain_changes(new: Sequence[Incoming], cells: dict[bytes, Cell]) -> dict[str, _DomainChange]:
    changes: dict[str, _DomainChange] = defaultdict(_DomainChange)
    for item in new:
        if not item.is_attempt:
            continue
        labelled, cell = item.labelled, cells[item.labelled.key]
        change = changes[labelled.domain]
        change.gateway = labelled.gateway or change.gateway
        change.newest_us = max(change.newest_us, labelled.occurred_us)
        if cell in _HARD_CELLS:
            change.hard_us = max(change.hard_us, labelled.occurred_us)
            change.hard_sources.add(item.source.id)
        elif cell in _DELIVERED_CELLS:
            change.delivered_us.append(labelled.occurred_us)
    return changes


def _learn_lags(connection: Connection, new: Sequence[Incoming]) -> dict[int, LagRow]:
    lags = ingest.load_lags(connection)
    moved: dict[int, tuple[float, int, int, int, int]] = {}
    by_source: dict[int, list[Incoming]] = defaultdict(list)
    for item in new:
        by_source[item.source.id].append(item)
    for source_id, items in by_source.items():
        row = lags.get(source_id) or LagRow()
        delivered = [item for item in items if item.labelled.event.kind is EventKind.DELIVERED]
        taught = learned(
            row.log_lag_seconds,
            (item.received_us - item.labelled.occurred_us for item in delivered if item.teaches_lag),
        )
        hard = sum(item.labelled.counts_as_hard for item in items)
        moved[source_id] = (
            taught - row.log_lag_seconds,
            len(delivered),
            hard,
            max(item.received_us for item in items),
            max(item.labelled.occurred_us for item in items),
        )
        lags[source_id] = LagRow(
            log_lag_seconds=taught, delivered_count=row.delivered_count + len(delivered), hard_count=row.hard_count + hard
        )
    ingest.add_lags(connection, moved)
    return lags


def _schedule(
    connection: Connection,
    changes: dict[str, _DomainChange],
    rows: dict[str, DomainRow],
    lags: dict[int, LagRow],
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
    ingest.save_due_checks(
        connection, {domain: scheduled(checks.get(domain), now_us, hold, policy) for domain, hold in wanted.items()}
    )


def _may_page(change: _DomainChange, row: DomainRow, *, now_us: int, policy: Policy) -> bool:
    """False for what only corrects history: far behind the domain's newest hour, or in a window that is long over."""
    is_behind = hour_of(change.hard_us) < row.newest_hour - policy.stale_hours
    return not is_behind and not is_stale(row.newest_hour, now_us, policy)
