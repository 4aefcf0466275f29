"""Which rows of a table were received in a span of time, by which source, and which deliveries are in which state?"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Table

from service.model.words import DeliveryState
from service.store.tables import UNPROCESSED, deliveries, sources


def received(table: Table, *, source: str | None, from_us: int | None, to_us: int | None) -> list[ColumnElement[bool]]:
    """What holds of rows of events or deliveries, joined to their sources; None asks for any."""
    conditions: list[ColumnElement[bool]] = []
    if source is not None:
        conditions.append(sources.c.name == source)
    if from_us is not None:
        conditions.append(table.c.received_us >= from_us)
    if to_us is not None:
        conditions.append(table.c.received_us < to_us)
    return conditions


def in_states(states: Collection[str]) -> list[ColumnElement[bool]]:
    """What holds of deliveries in one of these states.

    The index of states leaves out what was processed, and is used only where the question says so too, in the same words. "Processed"
    is asked for as what is in no other state: SQLite would take it for as rare as any, and sort all there are.
    """
    if DeliveryState.PROCESSED in states:
        return [deliveries.c.state.not_in([str(state) for state in DeliveryState if state not in states])]
    return [deliveries.c.state.in_(states), UNPROCESSED]
