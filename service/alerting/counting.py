"""How is one mail to one person counted, given what happened to that person before?

People are counted, not webhooks: a person counts once as bounced until delivered to again. The answer depends only on the
set of a recipient's attempts, in the order (event time, kind rank, event key), and never on the order of arrival.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from service.model.moments import DAY_US
from service.model.words import EventKind, Phase


class Cell(IntEnum):
    """How one event stands in the hourly roll-up; stored with the event, so that a re-fold knows what to take back."""

    NOT_COUNTED = 0  # no attempt, or a test source
    WARM_DELIVERED = 1
    COLD_DELIVERED = 2
    WARM_HARD = 3
    COLD_HARD = 4
    REPEAT_HARD = 5  # still in bounced state: neither in n nor in k
    WARM_SOFT = 6
    COLD_SOFT = 7
    REPLACED = 8  # a delivery whose own message bounced later: one mail is one attempt


HARD_CELLS = frozenset({Cell.WARM_HARD, Cell.COLD_HARD, Cell.REPEAT_HARD})
DELIVERED_CELLS = frozenset({Cell.WARM_DELIVERED, Cell.COLD_DELIVERED})

# Columns of the roll-up in their order: warm_n, warm_k, cold_n, cold_k, repeat_k, soft_k.
CELL_COUNTS: tuple[tuple[int, int, int, int, int, int], ...] = (
    (0, 0, 0, 0, 0, 0),
    (1, 0, 0, 0, 0, 0),
    (0, 0, 1, 0, 0, 0),
    (1, 1, 0, 0, 0, 0),
    (0, 0, 1, 1, 0, 0),
    (0, 0, 0, 0, 1, 0),
    (1, 0, 0, 0, 0, 1),
    (0, 0, 1, 0, 0, 1),
    (0, 0, 0, 0, 0, 0),
)
# The columns that each cell adds one to.
CELL_PLACES = tuple(tuple(place for place, count in enumerate(counts) if count) for counts in CELL_COUNTS)

_KIND_RANK = {EventKind.DELIVERED: 1, EventKind.BOUNCED: 2}
ATTEMPT_KINDS = frozenset(_KIND_RANK)
_DELIVERED_RANK = _KIND_RANK[EventKind.DELIVERED]
_ASYNC, _BOUNCED = Phase.ASYNC, EventKind.BOUNCED


class Attempt(NamedTuple):
    """One delivered or finally bounced mail to one recipient; its first three fields are its order, so it sorts as it is."""

    occurred_us: int
    rank: int
    key: bytes
    is_hard: bool  # reported hard, the count's own definition
    is_async: bool  # a later report about a mail that was taken first
    message_id: str | None

    @property
    def order(self) -> tuple[int, int, bytes]:
        """What attempts of one recipient are sorted by; no two are equal."""
        return self[:3]


class History(NamedTuple):
    """What the attempts so far say about one recipient. Zero means never."""

    last_delivered_us: int = 0
    last_hard_us: int = 0
    newest: tuple[int, int, bytes] = (0, 0, b"")


def attempt(*, kind: EventKind, occurred_us: int, key: bytes, is_hard: bool, phase: Phase, message_id: str | None) -> Attempt:
    """The attempt that a delivered or bounced event is."""
    return Attempt(occurred_us, _KIND_RANK[kind], key, is_hard, phase is _ASYNC and kind is _BOUNCED, message_id)


def needs_refold(history: History, fresh: Sequence[Attempt]) -> bool:
    """True where new attempts change how older ones are counted: an older moment, or a bounce that replaces a delivery."""
    newest = history.newest
    return any(item.order <= newest or (item.is_async and item.message_id is not None) for item in fresh)


def fold(history: History, attempts: Iterable[Attempt], warm_days: int) -> tuple[History, list[tuple[Attempt, Cell]]]:
    """Count attempts on top of a history that ends before the first of them; returned in the fold's order."""
    ordered = sorted(attempts)
    replaced = _replaced(ordered)
    counted: list[tuple[Attempt, Cell]] = []
    delivered_us, hard_us, newest = history
    warm_us = warm_days * DAY_US
    for item in ordered:
        newest = item[:3]
        if replaced and item.key in replaced:
            counted.append((item, Cell.REPLACED))
            continue
        counted.append((item, _cell(item, delivered_us, hard_us, warm_us)))
        if item.rank == _DELIVERED_RANK:
            delivered_us = item.occurred_us
        elif item.is_hard:
            hard_us = item.occurred_us
    return History(delivered_us, hard_us, newest), counted


def _replaced(ordered: Sequence[Attempt]) -> set[bytes]:
    """Keys of deliveries whose own message came back later."""
    if len(ordered) == 1:  # nearly always: one mail to one person
        return set()
    last_return = {item.message_id: item.order for item in ordered if item.is_async and item.message_id is not None}
    if not last_return:
        return set()
    delivered = (item for item in ordered if item.rank == _DELIVERED_RANK and item.message_id is not None)
    return {item.key for item in delivered if item.order < last_return.get(item.message_id or "", item.order)}


def _cell(item: Attempt, delivered_us: int, hard_us: int, warm_us: int) -> Cell:
    """How an attempt counts, after a last delivery and a last hard bounce at these moments."""
    # Bounced while the last hard bounce is newer than the last delivery; of two in one moment the delivery came first.
    is_bounced = 0 < hard_us >= delivered_us
    is_warm = delivered_us > 0 and not is_bounced and item.occurred_us - delivered_us <= warm_us
    if item.rank == _DELIVERED_RANK:
        return Cell.WARM_DELIVERED if is_warm else Cell.COLD_DELIVERED
    if not item.is_hard:
        return Cell.WARM_SOFT if is_warm else Cell.COLD_SOFT
    if is_bounced:
        return Cell.REPEAT_HARD
    return Cell.WARM_HARD if is_warm else Cell.COLD_HARD
