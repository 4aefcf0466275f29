"""How is a long list read page by page, so that what is added meanwhile neither repeats nor hides a row?

By the position of the last row of the page before, never by a row count.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, tuple_

from service.store.database import Database

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Position:
    """Where in its order a row stands."""

    at: int
    id: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some rows of a list, and where the next ones begin."""

    items: tuple[Item, ...]
    end: Position | None  # of the last row, where more follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By which columns a list is sorted; together they are unique."""

    at: ColumnElement[int]
    id: ColumnElement[Any]
    ascending: bool = False


def read_page(
    connection: Connection,
    statement: Select[Any],
    order: Order,
    build: Callable[[Row[Any]], Item],
    *,
    limit: int,
    after: Position | None,
) -> Page[Item]:
    """One page of a statement's rows; it has to select the order's columns as `position_at` and `position_id`."""
    key = tuple_(order.at, order.id)
    if after is not None:
        end = (after.at, after.id)
        # The second says what the first does, in a way that leaves out partitions.
        if order.ascending:
            statement = statement.where(key > end, order.at >= after.at)
        else:
            statement = statement.where(key < end, order.at <= after.at)
    columns = (order.at, order.id)
    sorting = columns if order.ascending else tuple(column.desc() for column in columns)
    statement = statement.add_columns(order.at.label("position_at"), order.id.label("position_id"))
    rows = connection.execute(statement.order_by(*sorting).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=tuple(build(row) for row in rows[:limit]),
        end=None if last is None else Position(last.position_at, last.position_id),
    )


def read_parts(
    database: Database, statement: Select[Any], order: Order, build: Callable[[Row[Any]], Item], *, at_once: int
) -> Iterator[tuple[Item, ...]]:
    """All rows of a statement, some at a time, each part in a transaction of its own, so that none is long."""
    after: Position | None = None
    while True:
        with database.read() as connection:
            page = read_page(connection, statement, order, build, limit=at_once, after=after)
        if page.items:
            yield page.items
        if page.end is None:
            return
        after = page.end
