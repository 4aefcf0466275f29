"""How do new events change what is counted of their recipients, and the hourly roll-up?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.alerting.counting import CELL_COUNTS, Attempt, Cell, History, fold, needs_refold
from service.alerting.policy import Policy
from service.model.words import EventKind
from service.pipeline.incoming import Incoming
from service.store import ingest
from service.store.database import Connection
from service.store.ingest import HourlyKey, RecipientRow, StoredAttempt

_ENGAGED = frozenset({EventKind.OPENED, EventKind.CLICKED})


@dataclass(slots=True)
class Counted:
    """What the fold of one batch changes."""

    cells: dict[bytes, Cell] = field(default_factory=dict)  # of the new events
    corrected: dict[bytes, Cell] = field(default_factory=dict)  # of events stored before
    hourly: dict[HourlyKey, list[int]] = field(default_factory=dict)
    recipients: dict[str, RecipientRow] = field(default_factory=dict)


def count(connection: Connection, new: Sequence[Incoming], known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
    """Count new events, in memory but for recipients whose older events have to be looked at again."""
    counted = Counted()
    by_address: dict[str, list[Incoming]] = defaultdict(list)
    for item in new:
        if item.address and (item.is_attempt or item.labelled.event.kind in _ENGAGED):
            by_address[item.address].append(item)
    refolds: dict[str, list[Incoming]] = {}
    for address, items in by_address.items():
        row = known.get(address) or RecipientRow()
        attempts = [item.attempt for item in items if item.is_attempt]
        if needs_refold(row.history, attempts) and row.id:
            refolds[address] = items
            counted.recipients[address] = _seen(row, items, row.history)
            continue
        history, cells = fold(row.history, attempts, policy.warm_days)
        _take_cells(counted, items, cells)
        counted.recipients[address] = _seen(row, items, history)
    _refold(connection, refolds, counted, policy)
    return counted


def count_anew(connection: Connection, known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
    """Count these recipients anew from all their stored attempts, once it has changed what one of those means."""
    counted = Counted(recipients=dict(known))
    _refold(connection, {address: [] for address in known}, counted, policy)
    return counted


def _seen(row: RecipientRow, items: Sequence[Incoming], history: History) -> RecipientRow:
    engaged_us = max((item.labelled.occurred_us for item in items if item.labelled.event.kind in _ENGAGED), default=0)
    hard = sum(item.labelled.counts_as_hard for item in items if item.is_attempt)
    return RecipientRow(id=row.id, history=history, last_engaged_us=max(row.last_engaged_us, engaged_us), hard_count=row.hard_count + hard)


def _take_cells(counted: Counted, items: Iterable[Incoming], cells: Iterable[tuple[Attempt, Cell]]) -> None:
    by_key = {item.labelled.key: item for item in items}
    for folded, cell in cells:
        item = by_key.get(folded.key)
        if item is None:
            continue
        counted.cells[folded.key] = cell
        _add(counted.hourly, item.hourly_key, cell, folded.occurred_us)


def _add(hourly: dict[HourlyKey, list[int]], key: HourlyKey, cell: Cell, occurred_us: int, *, sign: int = 1) -> None:
    counts = hourly.get(key)
    if counts is None:
        counts = hourly[key] = [0, 0, 0, 0, 0, 0, occurred_us, occurred_us]
    for index, change in enumerate(CELL_COUNTS[cell]):
        counts[index] += sign * change
    # First and last are over all attempts of the bucket, however they are counted: so no correction takes them back.
    counts[6] = min(counts[6], occurred_us)
    counts[7] = max(counts[7], occurred_us)


def _refold(connection: Connection, refolds: Mapping[str, list[Incoming]], counted: Counted, policy: Policy) -> None:
    """Count recipients anew from all their attempts, and correct what was counted differently before."""
    if not refolds:
        return
    addresses = {counted.recipients[address].id: address for address in refolds}
    stored: dict[str, dict[bytes, StoredAttempt]] = defaultdict(dict)
    for row in ingest.load_attempts(connection, list(addresses)):
        stored[addresses[row.recipient_id]][row.attempt.key] = row
    for address, items in refolds.items():
        old = stored[address]
        attempts = [row.attempt for row in old.values()] + [item.attempt for item in items if item.is_attempt]
        history, cells = fold(History(), attempts, policy.warm_days)
        _take_cells(counted, items, cells)
        for folded, cell in cells:
            if folded.key in old and old[folded.key].cell is not cell:
                _correct(counted, old[folded.key], cell)
        counted.recipients[address] = replace(counted.recipients[address], history=history)


def _correct(counted: Counted, stored: StoredAttempt, cell: Cell) -> None:
    occurred_us = stored.attempt.occurred_us
    _add(counted.hourly, stored.hourly_key, stored.cell, occurred_us, sign=-1)
    _add(counted.hourly, stored.hourly_key, cell, occurred_us)
    counted.corrected[stored.attempt.key] = cell
