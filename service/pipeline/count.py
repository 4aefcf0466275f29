"""How do new events change what is counted of their recipients, and the hourly roll-up?"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.alerting.counting import CELL_PLACES, Attempt, Cell, History, fold, needs_refold
from service.alerting.policy import Policy
from service.model.words import EventKind
from service.pipeline.incoming import Incoming
from service.store.attempts import StoredAttempt, load_before, load_later, load_taken
from service.store.database import Connection
from service.store.ingest import EventPlace, HourlyKey, RecipientRow

_ENGAGED = frozenset({EventKind.OPENED, EventKind.CLICKED})
_UNSEEN = RecipientRow()


@dataclass(slots=True)
class Counted:
    """What the fold of one batch changes."""

    cells: dict[bytes, Cell] = field(default_factory=dict)  # of the new events
    corrected: dict[EventPlace, Cell] = field(default_factory=dict)  # of events stored before
    hourly: dict[HourlyKey, list[int]] = field(default_factory=dict)
    recipients: dict[str, RecipientRow] = field(default_factory=dict)


def count(connection: Connection, new: Mapping[bytes, Incoming], known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
    """Count new events (by their keys), in memory but for recipients whose older events have to be looked at again."""
    counted = Counted()
    refolds: dict[str, list[Attempt]] = {}
    mails, engaged_us = _by_address(new.values())
    for address, attempts in mails.items():
        row = known.get(address, _UNSEEN)
        if row.id and needs_refold(row.history, attempts):
            refolds[address] = attempts
            history = row.history  # until it is folded anew
        else:
            history, cells = fold(row.history, attempts, policy.warm_days)
            _take_cells(counted, new, cells)
        hard_count = row.hard_count + sum([item.is_hard for item in attempts])
        counted.recipients[address] = RecipientRow(row.id, history, max(row.last_engaged_us, engaged_us.get(address, 0)), hard_count)
    _refold(connection, refolds, new, counted, policy)
    return counted


def count_anew(connection: Connection, known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
    """Count these recipients anew from all their stored attempts, once it has changed what one of those means."""
    counted = Counted(recipients=dict(known))
    _refold(connection, {address: [] for address in known}, {}, counted, policy)
    return counted


def _by_address(new: Iterable[Incoming]) -> tuple[dict[str, list[Attempt]], dict[str, int]]:
    """Each person's mails that are counted, maybe none, and when they last opened or clicked, where they did."""
    mails: dict[str, list[Attempt]] = defaultdict(list)
    engaged_us: dict[str, int] = {}
    for item in new:
        address, attempt = item.address, item.attempt
        if address and attempt is not None:
            mails[address].append(attempt)
        elif address and item.labelled.event.kind in _ENGAGED:
            mails.setdefault(address, [])
            engaged_us[address] = max(engaged_us.get(address, 0), item.labelled.occurred_us)
    return mails, engaged_us


def _take_cells(counted: Counted, new: Mapping[bytes, Incoming], cells: Iterable[tuple[Attempt, Cell]]) -> None:
    for folded, cell in cells:
        item = new.get(folded.key)
        if item is not None:
            counted.cells[folded.key] = cell
            _add(counted.hourly, item.hourly_key, cell, folded.occurred_us)


def _add(hourly: dict[HourlyKey, list[int]], key: HourlyKey, cell: Cell, occurred_us: int, *, sign: int = 1) -> None:
    counts = hourly.get(key)
    if counts is None:
        counts = hourly[key] = [0, 0, 0, 0, 0, 0, occurred_us, occurred_us]
    for place in CELL_PLACES[cell]:
        counts[place] += sign
    # First and last are over all attempts of the bucket, however they are counted: so no correction takes them back.
    if occurred_us < counts[6]:
        counts[6] = occurred_us
    elif occurred_us > counts[7]:
        counts[7] = occurred_us


def _refold(
    connection: Connection,
    refolds: Mapping[str, Sequence[Attempt]],
    new: Mapping[bytes, Incoming],
    counted: Counted,
    policy: Policy,
) -> None:
    """Count recipients anew from the first moment that changes, and correct what was counted differently before."""
    if not refolds:
        return
    people = {counted.recipients[address].id: address for address in refolds}
    since_us = _since(connection, {id_: refolds[address] for id_, address in people.items()})
    before = _before(connection, since_us, {id_: counted.recipients[address].history for id_, address in people.items()})
    stored: dict[int, dict[bytes, StoredAttempt]] = defaultdict(dict)
    for row in load_later(connection, since_us):
        stored[row.recipient_id][row.attempt.key] = row
    for id_, address in people.items():
        old = stored[id_]
        history, cells = fold(before[id_], [*(row.attempt for row in old.values()), *refolds[address]], policy.warm_days)
        _take_cells(counted, new, cells)
        for folded, cell in cells:
            if folded.key in old and old[folded.key].cell is not cell:
                _correct(counted, old[folded.key], cell)
        counted.recipients[address] = replace(counted.recipients[address], history=history)


def _since(connection: Connection, late: Mapping[int, Sequence[Attempt]]) -> dict[int, int]:
    """The first moment at which something changes: of the late attempts, and of mails that they tell came back. 0 where none is told."""
    since_us = {id_: min((item.occurred_us for item in items), default=0) for id_, items in late.items()}
    returned = [
        (id_, item.message_id, item.occurred_us)
        for id_, items in late.items()
        for item in items
        if item.is_async and item.message_id is not None
    ]
    for id_, taken_us in load_taken(connection, returned).items():
        since_us[id_] = min(since_us[id_], taken_us)
    return since_us


def _before(connection: Connection, since_us: Mapping[int, int], now: Mapping[int, History]) -> dict[int, History]:
    """What people were just before a moment: mostly what they are now, for whatever is older than that moment still holds."""
    found = load_before(connection, {id_: us for id_, us in since_us.items() if max(now[id_][:2]) >= us})
    before = {}
    for id_, us in since_us.items():
        known, earlier = now[id_], found.get(id_, now[id_])
        before[id_] = History(
            known.last_delivered_us if known.last_delivered_us < us else earlier.last_delivered_us,
            known.last_hard_us if known.last_hard_us < us else earlier.last_hard_us,
        )
    return before


def _correct(counted: Counted, stored: StoredAttempt, cell: Cell) -> None:
    occurred_us = stored.attempt.occurred_us
    _add(counted.hourly, stored.hourly_key, stored.cell, occurred_us, sign=-1)
    _add(counted.hourly, stored.hourly_key, cell, occurred_us)
    counted.corrected[stored.place] = cell
