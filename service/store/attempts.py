"""What is stored of the people whose mails have to be counted anew, and from which moment on?

A late event changes how the mails after it are counted and no mail before it. So a person's attempts are read from that
moment on, with what the person was just before it: somebody with a million mails costs no more than somebody with ten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.alerting.counting import DELIVERED_CELLS, HARD_CELLS, Attempt, Cell, History, attempt
from service.model.moments import hour_of
from service.model.words import EventKind, Phase
from service.store import bulk, kept
from service.store.ingest import EventPlace, HourlyKey
from service.store.tables import events

_COLUMNS = (
    "id", "received_us", "recipient_id", "event_key", "kind", "occurred_us", "counts_as_hard", "phase", "message_id",
    "domain", "source_id", "sending_ip", "campaign", "cell",
)  # fmt: skip


def _words(cells: frozenset[Cell]) -> str:
    return ", ".join(str(int(cell)) for cell in sorted(cells))


_LATER = f"""
    SELECT {", ".join(f"e.{name}" for name in _COLUMNS)} FROM wanted w
    JOIN events e ON e.recipient_id = w.recipient_id AND e.occurred_us >= w.occurred_us
    WHERE e.cell <> {int(Cell.NOT_COUNTED)}
"""  # noqa: S608 - names and numbers are our own
_TAKEN = f"""
    SELECT w.recipient_id, min(e.occurred_us) FROM wanted w
    JOIN events e ON e.recipient_id = w.recipient_id AND e.occurred_us <= w.occurred_us AND e.message_id = w.message_id
    WHERE e.cell IN ({_words(DELIVERED_CELLS | {Cell.REPLACED})}) GROUP BY w.recipient_id
"""  # noqa: S608 - the same
# A hard bounce that a delivery followed changes nothing any more, so the search for one ends there.
_BEFORE = f"""
    SELECT d.recipient_id, d.delivered_us, (
        SELECT e.occurred_us FROM events e
        WHERE e.recipient_id = d.recipient_id AND e.occurred_us >= coalesce(d.delivered_us, 0) AND e.occurred_us < d.occurred_us
        AND e.cell IN ({_words(HARD_CELLS)}) ORDER BY e.occurred_us DESC LIMIT 1
    ) FROM (
        SELECT w.recipient_id, w.occurred_us, (
            SELECT e.occurred_us FROM events e WHERE e.recipient_id = w.recipient_id AND e.occurred_us < w.occurred_us
            AND e.cell IN ({_words(DELIVERED_CELLS)}) ORDER BY e.occurred_us DESC LIMIT 1
        ) AS delivered_us FROM wanted w
    ) AS d
"""  # noqa: S608 - the same


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttempt:
    """An attempt as it is kept, how it is counted now, and in which row of the hourly roll-up."""

    place: EventPlace
    recipient_id: int
    attempt: Attempt
    cell: Cell
    hourly_key: HourlyKey


def load_later(connection: Connection, since_us: Mapping[int, int]) -> Iterator[StoredAttempt]:
    """The stored attempts of these recipients (id: moment) at that moment or later that are counted."""
    for row in bulk.select_for(connection, events, ("recipient_id", "occurred_us"), list(since_us.items()), _LATER):
        id_, received_us, recipient_id, key, kind, occurred_us, is_hard, phase, message_id = row[:9]
        domain, source_id, sending_ip, campaign, cell = row[9:]
        found = attempt(
            kind=EventKind(kind),
            occurred_us=occurred_us,
            key=bytes(key),
            is_hard=bool(is_hard),
            phase=Phase(phase),
            message_id=message_id,
        )
        hourly_key = (domain, hour_of(occurred_us), source_id, sending_ip or "", campaign or "")
        place = (id_, received_us)
        yield StoredAttempt(place=place, recipient_id=recipient_id, attempt=found, cell=Cell(cell), hourly_key=hourly_key)


def load_taken(connection: Connection, returned: Sequence[tuple[int, str, int]]) -> dict[int, int]:
    """When mails that came back later (recipient id, message id, moment of the return) were first taken, by recipient id."""
    return dict(bulk.select_for(connection, events, ("recipient_id", "message_id", "occurred_us"), returned, _TAKEN))


def load_before(connection: Connection, since_us: Mapping[int, int]) -> dict[int, History]:
    """What these recipients (id: moment) were just before that moment; what retention has dropped of them came first."""
    bases = kept.load_bases(connection, list(since_us))
    found = {}
    rows = bulk.select_for(connection, events, ("recipient_id", "occurred_us"), list(since_us.items()), _BEFORE)
    for recipient_id, delivered_us, hard_us in rows:
        base = bases.get(recipient_id, History())
        found[recipient_id] = History(delivered_us or base.last_delivered_us, hard_us or base.last_hard_us)
    return found
