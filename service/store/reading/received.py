"""Which rows of a table were received in a span of time, and by which source?"""

from sqlalchemy import ColumnElement, Table

from service.store.tables import sources


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
