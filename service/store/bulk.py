"""How are many rows looked up and written at once? The one seam where SQLite and PostgreSQL differ.

PostgreSQL takes COPY and arrays, SQLite one prepared statement run many times; both go through the driver's own cursor,
inside the transaction of the connection that is handed in. Callers hand rows in key order, so that no two writers of
PostgreSQL wait for each other in a circle.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from typing import Any

import orjson
import psycopg
from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]
_TYPE_NAMES = {"VARCHAR": "text", "BIGINT": "int8", "INTEGER": "int4", "SMALLINT": "int2", "BOOLEAN": "bool", "FLOAT": "float8"}
_SQLITE_VALUES = 900  # below the smallest limit of variables that SQLite is built with
_HOPE_FROM = 50  # rows: a savepoint costs as much as hope saves on so many
_CAREFUL_TIMES = 20  # so that of what is written in vain no more than a twentieth stays behind


class Lock(Enum):
    """How rows become ours until the transaction ends; SQLite has one writer anyway."""

    WAIT = "FOR UPDATE"
    SKIP = "FOR UPDATE SKIP LOCKED"  # those that somebody else holds are left out


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
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([_type_name(table.c[name]) for name in columns])
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
        cursor.execute(f"INSERT INTO {table.name} ({names}) {source} ON CONFLICT {conflict}", _arrays(table, columns, rows))
    else:
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks}) ON CONFLICT {conflict}", rows)  # noqa: S608
    written: int = cursor.rowcount
    return written


def claim(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> list[Any]:
    """Insert those rows, given in key order, that are not there yet; returns their keys, the first column. PostgreSQL only.

    Nearly always all are new, and an INSERT that may not meet a row costs the server a third less. It is tried first, unless it
    failed a short while ago.
    """
    if not rows:
        return []
    if len(rows) >= _HOPE_FROM and _are_all_new(connection, table, columns, rows):
        return [row[0] for row in rows]
    source = f"SELECT * FROM unnest({_array_marks(table, columns)})"  # noqa: S608 - names are our own
    tail = f"ON CONFLICT ({columns[0]}) DO NOTHING RETURNING {columns[0]}"
    cursor = _cursor(connection)
    cursor.execute(f"INSERT INTO {table.name} ({', '.join(columns)}) {source} {tail}", _arrays(table, columns, rows))
    return [row[0] for row in cursor.fetchall()]


def _are_all_new(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Insert all, or nothing where one is there."""
    waits = connection.info.setdefault("claims", {})  # of this connection to the server: how often to be careful yet
    if waits.get(table.name, 0) > 0:
        waits[table.name] -= 1
        return False
    cursor = _cursor(connection)
    cursor.execute("SAVEPOINT claimed")
    try:
        insert(connection, table, columns, rows)
    except psycopg.errors.UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT claimed")
        waits[table.name] = _CAREFUL_TIMES
        return False
    cursor.execute("RELEASE SAVEPOINT claimed")
    return True


def next_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """So many ids that no row of the table has or will get from somebody else, in order."""
    cursor = _cursor(connection)
    if is_postgresql(connection):
        numbers = f"array_agg(nextval('{table.name}_id_seq'))"
        cursor.execute(f"SELECT {numbers} FROM generate_series(1, %s)", (count,))  # noqa: S608 - names are our own
        ids: list[int] = cursor.fetchone()[0]
        return ids
    cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,))
    newest = cursor.fetchone()
    first = (newest[0] if newest else 0) + 1
    return list(range(first, first + count))  # there is no other writer


def update(connection: Connection, table: Table, key: str | Sequence[str], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Set columns of the rows with these keys (of one column, or of several); each row is the new values and, last, its key."""
    if not rows:
        return
    keys = (key,) if isinstance(key, str) else tuple(key)
    cursor = _cursor(connection)
    if is_postgresql(connection):
        marks = _array_marks(table, [*columns, *keys])
        aliases = ", ".join(f"c{number}" for number in range(len(columns) + len(keys)))
        sets = ", ".join(f"{name} = u.c{number}" for number, name in enumerate(columns))
        found = " AND ".join(f"t.{name} = u.c{number}" for number, name in enumerate(keys, start=len(columns)))
        statement = f"UPDATE {table.name} t SET {sets} FROM unnest({marks}) AS u({aliases}) WHERE {found}"  # noqa: S608
        cursor.execute(statement, _arrays(table, [*columns, *keys], rows))
        return
    sets = ", ".join(f"{name} = ?" for name in columns)
    found = " AND ".join(f"{name} = ?" for name in keys)
    cursor.executemany(f"UPDATE {table.name} SET {sets} WHERE {found}", rows)  # noqa: S608 - names are our own


def select_in(  # noqa: PLR0913 - a question has that many parts
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    *,
    key: str,
    values: Sequence[Any],
    lock: Lock | None = None,
    within: tuple[str, int, int] | None = None,
) -> Iterator[Row]:
    """Rows whose key is among the values; locked in key order where asked.

    `within` (a column, its least and greatest value) holds of all rows that are sought: PostgreSQL then leaves out partitions.
    """
    if not values:
        return
    names = ", ".join(columns)
    cursor = _cursor(connection)
    if is_postgresql(connection):
        tail = f" ORDER BY {key} {lock.value}" if lock else ""
        mark = _array_marks(table, [key])
        bounds = f" AND {within[0]} BETWEEN %s AND %s" if within else ""
        asked = (_array(_type_name(table.c[key]), values), *(within[1:] if within else ()))
        cursor.execute(f"SELECT {names} FROM {table.name} WHERE {key} = ANY({mark}){bounds}{tail}", asked)  # noqa: S608
        yield from cursor.fetchall()
        return
    for start in range(0, len(values), _SQLITE_VALUES):
        chunk = values[start : start + _SQLITE_VALUES]
        marks = ", ".join("?" * len(chunk))
        cursor.execute(f"SELECT {names} FROM {table.name} WHERE {key} IN ({marks})", tuple(chunk))  # noqa: S608
        yield from cursor.fetchall()


def select_for(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row], query: str) -> list[Row]:
    """What a query finds about `wanted`: a table that has these rows, and columns named and typed as those of `table`."""
    if not rows:
        return []
    cursor = _cursor(connection)
    names = ", ".join(columns)
    if is_postgresql(connection):
        wanted = f"SELECT * FROM unnest({_array_marks(table, columns)})"  # noqa: S608 - names are our own
        cursor.execute(f"WITH wanted ({names}) AS ({wanted}) {query}", _arrays(table, columns, rows))
    else:
        fields = ", ".join(f"value ->> {number}" for number in range(len(columns)))
        wanted = f"SELECT {fields} FROM json_each(?)"  # noqa: S608 - the same
        cursor.execute(f"WITH wanted ({names}) AS ({wanted}) {query}", (orjson.dumps(rows).decode(),))
    found: list[Row] = cursor.fetchall()
    return found


def ask(connection: Connection, statement: str, values: Row) -> list[Row]:
    """What a statement finds, in the words of the driver: SQLAlchemy's own would take longer to make than to ask, for each batch."""
    cursor = _cursor(connection)
    cursor.execute(statement, values)
    found: list[Row] = cursor.fetchall()
    return found


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


def _array_marks(table: Table, columns: Sequence[str]) -> str:
    return ", ".join(f"%s::{_type_name(table.c[name])}[]" for name in columns)


def _arrays(table: Table, columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    return [_array(_type_name(table.c[name]), values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)]


def _array(type_name: str, values: Sequence[Any]) -> str:
    """An array as PostgreSQL writes it: the driver would make a Python call, or three, for each of its elements."""
    if type_name == "bytea":
        return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"
    # JSON writes the elements as an array does, but for characters that it gives names to, as in \n.
    written = orjson.dumps(values).decode()[1:-1]
    return "{" + (",".join(map(_element, values)) if "\\" in written else written) + "}"


def _element(value: Any) -> str:  # noqa: ANN401 - whatever a column holds
    if not isinstance(value, str):
        return orjson.dumps(value).decode()
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@cache
def _type_name(column: Column[Any]) -> str:
    name = column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    return _TYPE_NAMES.get(name.partition("(")[0], name.lower())
