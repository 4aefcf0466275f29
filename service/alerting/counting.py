"""How is one mail to one person counted, given what happened to that person before?

People are counted, not webhooks: a person counts once as bounced until delivered to again. The answer depends only on the
set of a recipient's attempts, in the order (event time, kind rank, event key), and never on the order of arrival.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

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

_KIND_RANK = {EventKind.DELIVERED: 1, EventKind.BOUNCED: 2}
ATTEMPT_KINDS = frozenset(_KIND_RANK)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivered or finally bounced mail to one recipient."""

    occurred_us: int
    rank: int
    key: bytes
    is_hard: bool  # reported hard, the count's own definition
    is_async: bool  # a later report about a mail that was taken first
    message_id: str | None

    @property
    def order(self) -> tuple[int, int, bytes]:
        """What attempts of one recipient are sorted by; no two are equal."""
        return (self.occurred_us, self.rank, self.key)


@dataclass(frozen=True, slots=True)
class History:
    """What the attempts so far say about one recipient. Zero means never."""

    last_delivered_us: int = 0
    last_hard_us: int = 0
    newest: tuple[int, int, bytes] = (0, 0, b"")

    @property
    def is_bounced(self) -> bool:
        """True while the last hard bounce is newer than the last delivery; of two in one moment the delivery came first."""
        return 0 < self.last_hard_us >= self.last_delivered_us

    def is_warm(self, at_us: int, warm_days: int) -> bool:
        """True where a delivery in the last `warm_days` was followed by no hard bounce."""
        return self.last_delivered_us > 0 and not self.is_bounced and at_us - self.last_delivered_us <= warm_days * DAY_US


def attempt(*, kind: EventKind, occurred_us: int, key: bytes, is_hard: bool, phase: Phase, message_id: str | None) -> Attempt:
    """The attempt that a delivered or bounced event is."""
    return Attempt(
        occurred_us=occurred_us,
        rank=_KIND_RANK[kind],
        key=key,
        is_hard=is_hard,
        is_async=phase is Phase.ASYNC and kind is EventKind.BOUNCED,
        message_id=message_id,
    )


def needs_refold(history: History, fresh: Sequence[Attempt]) -> bool:
    """True where new attempts change how older ones are counted: an older moment, or a bounce that replaces a delivery."""
    return any(item.order <= history.newest or (item.is_async and item.message_id is not None) for item in fresh)


def fold(history: History, attempts: Iterable[Attempt], warm_days: int) -> tuple[History, list[tuple[Attempt, Cell]]]:
    """Count attempts on top of a history that ends before the first of them; returned in the fold's order."""
    ordered = sorted(attempts, key=lambda item: item.order)
    replaced = _replaced(ordered)
    counted: list[tuple[Attempt, Cell]] = []
    delivered_us, hard_us, newest = history.last_delivered_us, history.last_hard_us, history.newest
    for item in ordered:
        newest = item.order
        if item.key in replaced:
            counted.append((item, Cell.REPLACED))
            continue
        known = History(delivered_us, hard_us)
        counted.append((item, _cell(item, known, warm_days)))
        if item.rank == _KIND_RANK[EventKind.DELIVERED]:
            delivered_us = item.occurred_us
        elif item.is_hard:
            hard_us = item.occurred_us
    return History(delivered_us, hard_us, newest), counted


def _replaced(ordered: Sequence[Attempt]) -> set[bytes]:
    """Keys of deliveries whose own message came back later."""
    last_return = {item.message_id: item.order for item in ordered if item.is_async and item.message_id is not None}
    if not last_return:
        return set()
    delivered = (item for item in ordered if item.rank == _KIND_RANK[EventKind.DELIVERED] and item.message_id is not None)
    return {item.key for item in delivered if item.order < last_return.get(item.message_id or "", item.order)}


def _cell(item: Attempt, history: History, warm_days: int) -> Cell:
    is_warm = history.is_warm(item.occurred_us, warm_days)
    if item.rank == _KIND_RANK[EventKind.DELIVERED]:
        return Cell.WARM_DELIVERED if is_warm else Cell.COLD_DELIVERED
    if not item.is_hard:
        return Cell.WARM_SOFT if is_warm else Cell.COLD_SOFT
    if history.is_bounced:
        return Cell.REPEAT_HARD
    return Cell.WARM_HARD if is_warm else Cell.COLD_HARD
