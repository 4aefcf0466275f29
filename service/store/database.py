"""How is the main database opened, read and written?

One code for SQLite and PostgreSQL; what differs between them stands here and in `bulk.py`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from service.model.errors import HoppError

__all__ = ["Connection", "Database", "DatabaseUnavailableError", "open_engine"]

_BUSY_TIMEOUT_MS = 15_000
_WAL_PAGES = 4_000  # a checkpoint each 16 MB: fewer stalls than the default 1,000 pages, a bounded file all the same
_LOG_BYTES = 64_000_000  # what its log may keep of the disk once a checkpoint has ended, however large a long reader made it


# Locked, full, restarting, out of connections, a deadlock: nothing that the data is to blame for, so it is tried again later.
_TRANSIENT = (OperationalError, sqlite3.OperationalError, psycopg.OperationalError)


class DatabaseUnavailableError(HoppError):
    """The database does not answer: check that it runs and that its URL is right."""


class Database:
    """The main database of this process; connections are made when first used, so it may be built before a fork."""

    def __init__(self, url: str, *, patience_seconds: int | None = None) -> None:
        self.url: URL = make_url(url)
        self._patience_seconds = patience_seconds  # after which a statement in PostgreSQL fails; for ever where None
        self._engine: Engine | None = None
        self._opening = Lock()

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, made at first use."""
        with self._opening:  # threads that come first together must not open two
            if self._engine is None:
                self._engine = open_engine(self.url, patience_seconds=self._patience_seconds)
            return self._engine

    @property
    def is_sqlite(self) -> bool:
        """True where the database is one file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def described(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short transaction for reading; nothing is kept."""
        with self.connect() as connection:
            yield connection

    def connect(self) -> Connection:
        """A connection that somebody else closes; raises DatabaseUnavailableError where none can be had."""
        try:
            return self.engine.connect()
        except (DBAPIError, OSError) as error:  # a file that is no database, or a folder that cannot be made, too
            raise self.unavailable(error) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back by any error.

        Raises DatabaseUnavailableError for whatever may be over in a moment.
        """
        try:
            with self._transaction() as connection:
                yield connection
        except _TRANSIENT as error:
            raise self.unavailable(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self.connect() as connection:
            if self.is_sqlite:  # take the write lock at once: upgrading a read lock later can fail instead of wait
                connection.execute(text("BEGIN IMMEDIATE"))
                yield connection
                connection.commit()
                return
            with connection.begin():
                yield connection

    def answers(self) -> bool:
        """True where the database answers a question right now."""
        return self.find_silence() is None

    def find_silence(self) -> str | None:
        """Why the database does not answer a question right now, in its own words; None where it does."""
        try:
            with self.read() as connection:
                connection.execute(text("SELECT 1"))
        except (DatabaseUnavailableError, DBAPIError) as error:
            return _words_of(error.__cause__ or error)
        return None

    def silence(self) -> str:
        """The message of a database that stopped answering."""
        return f"The database {self.described} stopped answering. Check that it runs; work goes on once it does."

    def close(self) -> None:
        """Give back all connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def unavailable(self, error: Exception) -> DatabaseUnavailableError:
        """The error that says why the database does not answer, and what to check."""
        if self.is_sqlite:
            mend = "Check that HOPP_DATABASE names a SQLite file, in a folder, that this user may write to."
        else:
            mend = "Check that it runs and that HOPP_DATABASE is right."
        return DatabaseUnavailableError(f"The database {self.described} does not answer ({_words_of(error)}). {mend}")


def _words_of(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return next(iter(str(cause).strip().splitlines()), "no answer")


def open_engine(url: URL, *, patience_seconds: int | None = None) -> Engine:
    """An engine with what each database needs to be durable and fast."""
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url)
    return _open_postgres(url.set(drivername="postgresql+psycopg"), patience_seconds)


def _open_postgres(url: URL, patience_seconds: int | None) -> Engine:
    pool: dict[str, Any] = {"pool_size": 4, "max_overflow": 8, "pool_pre_ping": True}
    if patience_seconds is None:
        engine = create_engine(url, **pool)
        event.listen(engine, "connect", _prepare_postgres)
        return engine
    # A server that went away without a word is noticed by the second of these while we send, by the third while we wait.
    limits = {
        "connect_timeout": str(patience_seconds),
        "tcp_user_timeout": str(patience_seconds * 1_000),
        "keepalives_idle": str(patience_seconds),
    }
    engine = create_engine(url.update_query_dict(limits | dict(url.query)), **pool)

    def limit(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
        connection.execute(f"SET statement_timeout = '{patience_seconds}s'")
        connection.commit()

    event.listen(engine, "connect", _prepare_postgres)
    event.listen(engine, "connect", limit)
    return engine


def _prepare_postgres(connection: psycopg.Connection[Any], _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own type is private
    """COPY takes bytes as they are: by default the driver asks of each, in Python, whether it is DBAPI's Binary."""
    connection.adapters.register_dumper(None, BytesBinaryDumper)


def _open_sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        _keep_private(Path(url.database))
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _keep_private(path: Path) -> None:
    """The file holds addresses: only its owner may read it. SQLite gives its other files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own type is private
    """WAL, so that reading never waits for writing; full sync, so that what is committed survives a power cut."""
    connection.isolation_level = None  # transactions are begun by our own BEGIN, not by the driver's guess
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={_WAL_PAGES}",
        f"journal_size_limit={_LOG_BYTES}",
        "cache_size=-64000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
