"""What happened, in the order in which it was received? For the backtest."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from service.alerting.counting import Attempt, Cell, attempt
from service.model.words import EventKind, Phase
from service.store.tables import events

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One counted event, as the backtest sees it."""

    received_us: int
    recipient_id: int
    domain: str
    source_id: int
    gateway: str
    attempt: Attempt
    is_delivered: bool


def count_attempts(connection: Connection, until_us: int) -> int:
    """How many events a backtest up to this moment goes through."""
    chosen = (events.c.received_us < until_us) & (events.c.cell != Cell.NOT_COUNTED)
    return connection.execute(select(func.count()).select_from(events).where(chosen)).scalar_one()


def load_timeline(connection: Connection, until_us: int) -> Iterator[TimelineEvent]:
    """All counted events received before this moment, in the order of their receipt."""
    columns = events.c
    statement = (
        select(
            columns.received_us,
            columns.recipient_id,
            columns.domain,
            columns.source_id,
            columns.gateway,
            columns.kind,
            columns.occurred_us,
            columns.event_key,
            columns.counts_as_hard,
            columns.phase,
            columns.message_id,
        )
        .where(columns.received_us < until_us, columns.cell != Cell.NOT_COUNTED)
        .order_by(columns.received_us, columns.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    for row in connection.execute(statement):
        received_us, recipient_id, domain, source_id, gateway, kind, occurred_us, key, is_hard, phase, message_id = row
        found = attempt(
            kind=EventKind(kind), occurred_us=occurred_us, key=bytes(key), is_hard=is_hard, phase=Phase(phase), message_id=message_id
        )
        yield TimelineEvent(received_us, recipient_id, domain, source_id, gateway, found, kind == EventKind.DELIVERED)
