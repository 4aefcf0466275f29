"""How are many rows looked up and written at once? The one seam where SQLite and PostgreSQL differ.

PostgreSQL takes COPY and arrays, SQLite one prepared statement run many times; both go through the driver's own cursor,
inside the transaction of the connection that is handed in. Callers hand rows in key order, so that no two writers of
PostgreSQL wait for each other in a circle.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]
_SQLITE_VALUES = 900  # below the smallest limit of variables that SQLite is built with


def is_postgresql(connection: Connection) -> bool:
    """True on PostgreSQL."""
    return connection.dialect.name == "postgresql"


def insert(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows that are known to be new."""
    if not rows:
        return
    names = ", ".join(columns)
    cursor = _cursor(connection)
    if is_postgresql(connection):
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608 - names are our own


def upsert(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row], *, conflict: str) -> int:
    """Insert rows in key order; what follows ON CONFLICT says what happens to those already there. Returns how many were written."""
    if not rows:
        return 0
    names = ", ".join(columns)
    cursor = _cursor(connection)
    if is_postgresql(connection):
        source = f"SELECT * FROM unnest({_array_marks(table, columns)})"  # noqa: S608 - names are our own
        cursor.execute(f"INSERT INTO {table.name} ({names}) {source} ON CONFLICT {conflict}", _transposed(rows))
    else:
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks}) ON CONFLICT {conflict}", rows)  # noqa: S608
    written: int = cursor.rowcount
    return written


def update(connection: Connection, table: Table, key: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Set columns of the rows with these keys; each row is the new values and, last, its key."""
    if not rows:
        return
    cursor = _cursor(connection)
    if is_postgresql(connection):
        marks = _array_marks(table, [*columns, key])
        aliases = ", ".join(f"c{number}" for number in range(len(columns) + 1))
        sets = ", ".join(f"{name} = u.c{number}" for number, name in enumerate(columns))
        statement = f"UPDATE {table.name} t SET {sets} FROM unnest({marks}) AS u({aliases}) WHERE t.{key} = u.c{len(columns)}"  # noqa: S608
        cursor.execute(statement, _transposed(rows))
        return
    sets = ", ".join(f"{name} = ?" for name in columns)
    cursor.executemany(f"UPDATE {table.name} SET {sets} WHERE {key} = ?", rows)  # noqa: S608 - names are our own


def select_in(
    connection: Connection, table: Table, columns: Sequence[str], *, key: str, values: Sequence[Any], lock: bool = False
) -> Iterator[Row]:
    """Rows whose key is among the values; locked in key order where asked (SQLite has one writer anyway)."""
    if not values:
        return
    names = ", ".join(columns)
    cursor = _cursor(connection)
    if is_postgresql(connection):
        tail = f" ORDER BY {key} FOR UPDATE" if lock else ""
        mark = _array_marks(table, [key])
        cursor.execute(f"SELECT {names} FROM {table.name} WHERE {key} = ANY({mark}){tail}", (list(values),))  # noqa: S608
        yield from cursor.fetchall()
        return
    for start in range(0, len(values), _SQLITE_VALUES):
        chunk = values[start : start + _SQLITE_VALUES]
        marks = ", ".join("?" * len(chunk))
        cursor.execute(f"SELECT {names} FROM {table.name} WHERE {key} IN ({marks})", tuple(chunk))  # noqa: S608
        yield from cursor.fetchall()


def added(columns: Iterable[str], table: Table) -> str:
    """The SET list of an upsert that adds to what is there."""
    return ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in columns)


def greatest(connection: Connection, column: str, table: Table) -> str:
    """The SET of an upsert that keeps the greater value."""
    word = "greatest" if is_postgresql(connection) else "max"
    return f"{column} = {word}({table.name}.{column}, excluded.{column})"


def least(connection: Connection, column: str, table: Table) -> str:
    """The SET of an upsert that keeps the smaller value."""
    word = "least" if is_postgresql(connection) else "min"
    return f"{column} = {word}({table.name}.{column}, excluded.{column})"


def _cursor(connection: Connection) -> Any:  # noqa: ANN401 - the two drivers' cursors share no type
    # SQLAlchemy begins a transaction with its first own statement; the driver's cursor joins it.
    return connection.connection.cursor()


def _transposed(rows: Sequence[Row]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


def _array_marks(table: Table, columns: Sequence[str]) -> str:
    return ", ".join(f"%s::{_type_name(table.c[name])}[]" for name in columns)


@cache
def _type_name(column: Column[Any]) -> str:
    name = column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return "varchar" if name.startswith("VARCHAR") else name.lower()
