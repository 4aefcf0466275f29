"""How do rows get into the inbox's table at the least cost?

By one connection that is kept open, and one statement for all rows of a group, which commits by itself. SQLAlchemy opens the
connection and stands aside: around one small row it costs more than the row.
"""

import os
import sqlite3
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from sqlalchemy.exc import DBAPIError, OperationalError

from service.inbox.rows import COLUMNS, Row
from service.model.errors import InboxUnavailableError
from service.store.database import Database

DRIVER_ERRORS = (DBAPIError, sqlite3.Error, psycopg.Error)
# Locked, full, restarting, out of connections: nothing that a row is to blame for.
_UNAVAILABLE = (OperationalError, sqlite3.OperationalError, psycopg.OperationalError)
# The worker writes the log back into the file at 4,000 pages, where no ESP waits for that; this is for when no worker runs.
_WAL_PAGES = 16_000
_CACHE_KIB = 2_000  # what is appended is not read here
_TEXT, _BIGINT, _INTEGER, _BYTES = 25, 20, 23, 17  # PostgreSQL's numbers of its types, which never change
_TYPES = {"received_us": _BIGINT, "is_packed": _INTEGER, "body": _BYTES}
_ROW_TYPES = tuple(_TYPES.get(name, _TEXT) for name in COLUMNS)
_ENCODE: dict[int, Callable[[Any], bytes]] = {
    _TEXT: str.encode,
    _BIGINT: struct.Struct(">q").pack,
    _INTEGER: struct.Struct(">i").pack,
    _BYTES: bytes,
}
_ROW_ENCODERS = tuple(_ENCODE[type_] for type_ in _ROW_TYPES)
_BINARY = 1


class Appender:
    """Writes groups of rows. Serves one thread at a time, and each process opens a connection of its own."""

    def __init__(self, database: Database, explain: Callable[[Exception], InboxUnavailableError]) -> None:
        self._database = database
        self._explain = explain
        self._process = 0
        self._writer: _Writer | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Write all rows or none, durably; raises InboxUnavailableError where none of them is to blame."""
        if self._process != os.getpid():
            self._writer = None  # after a fork it is the parent's
        kept = self._writer
        try:
            try:
                self._opened().insert(rows)
            except _UNAVAILABLE:
                if kept is None or not kept.is_lost:
                    raise
                self.close()
                self._opened().insert(rows)  # the server was started anew meanwhile; a row that comes twice is skipped by its id
        except _UNAVAILABLE as error:
            self.close()
            raise self._explain(error) from error

    def _opened(self) -> "_Writer":
        if self._writer is None:
            pooled = self._database.engine.raw_connection()
            pooled.detach()
            self._process = os.getpid()
            self._writer = (_SqliteWriter if self._database.is_sqlite else _PostgresWriter)(pooled.dbapi_connection)
        return self._writer

    def close(self) -> None:
        """Close the connection; the next write opens another."""
        writer, self._writer = self._writer, None
        if writer is not None and self._process == os.getpid():
            writer.close()


class _Writer(Protocol):
    """An open connection that inserts."""

    @property
    def is_lost(self) -> bool: ...

    def insert(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


class _SqliteWriter:
    """One statement takes the write lock, inserts and commits, and lets other threads run but once."""

    is_lost = False

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy hands out the driver's own
        self._connection: sqlite3.Connection = connection
        for pragma in (f"wal_autocheckpoint={_WAL_PAGES}", f"cache_size=-{_CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}").close()

    def insert(self, rows: Sequence[Row]) -> None:
        self._connection.execute(_insert_sqlite(len(rows)), [value for row in rows for value in row]).close()

    def close(self) -> None:
        self._connection.close()


class _PostgresWriter:
    """A prepared statement for each size of a group, through libpq itself.

    The driver's cursor gives way to other threads at each step of a statement, and has to wait for its turn as often; libpq's
    own call does so once.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy hands out the driver's own
        self._connection: psycopg.Connection[Any] = connection
        connection.autocommit = True
        connection.execute("SET client_encoding TO 'UTF8'")  # whatever the database itself is kept in
        self._prepared: set[int] = set()

    @property
    def is_lost(self) -> bool:
        return self._connection.pgconn.status != ConnStatus.OK

    def insert(self, rows: Sequence[Row]) -> None:
        server, size = self._connection.pgconn, len(rows)
        name = b"insert_%d" % size
        if size not in self._prepared:
            self._check(server.prepare(name, _insert_postgres(size), _ROW_TYPES * size))
            self._prepared.add(size)
        values = [encode(value) for row in rows for encode, value in zip(_ROW_ENCODERS, row, strict=True)]
        self._check(server.exec_prepared(name, values, [_BINARY] * len(values)))

    def _check(self, result: psycopg.pq.abc.PGresult) -> None:
        if result.status == ExecStatus.COMMAND_OK:
            return
        if self.is_lost:
            raise psycopg.OperationalError(result.get_error_message())
        raise psycopg.errors.error_from_result(result)

    def close(self) -> None:
        self._connection.close()


@cache
def _insert_sqlite(rows: int) -> str:
    group = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO inbox ({', '.join(COLUMNS)}) VALUES {', '.join([group] * rows)}"  # noqa: S608 - names are our own


@cache
def _insert_postgres(rows: int) -> bytes:
    numbers = iter(range(1, rows * len(COLUMNS) + 1))
    groups = (", ".join(f"${next(numbers)}" for _ in COLUMNS) for _ in range(rows))
    return f"INSERT INTO inbox ({', '.join(COLUMNS)}) VALUES {', '.join(f'({group})' for group in groups)}".encode()  # noqa: S608
