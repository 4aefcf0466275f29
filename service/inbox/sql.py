"""The inbox in a database: a SQLite file of its own, or a table in PostgreSQL.

SQLite has one writer, so its one worker reads by number without claiming and deletes a batch in one write. In PostgreSQL
any number of workers take rows that no other one holds (FOR UPDATE SKIP LOCKED), and a worker that dies gives its rows back
with its connection.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
import zstandard
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError

from service.inbox.group import GroupCommit
from service.inbox.port import Batch, InboxState
from service.model.errors import HoppError, InboxUnavailableError
from service.model.events import Delivery
from service.model.moments import from_us, to_us
from service.store.database import Database, DatabaseUnavailableError

_metadata = MetaData()
_inbox = Table(
    "inbox",
    _metadata,
    # AUTOINCREMENT: a number is never given out twice, though the table is emptied all the time.
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False),
    Column("source", String(100), nullable=False),
    Column("esp", String(40), nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("headers", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("is_packed", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_PACK_FROM_BYTES = 1_000  # below that zstd saves less than it costs
_LARGEST_BODY = 1 << 30
_PATIENCE_SECONDS = 8  # a server that is slower is told to an ESP as unavailable: most wait for ten or more


class WorkerAlreadyRunningError(HoppError):
    """Another worker holds this inbox; SQLite serves exactly one."""


class SqlInbox:
    """An inbox behind a database URL."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, patience_seconds=_PATIENCE_SECONDS)
        self._group: GroupCommit[dict[str, Any]] = GroupCommit(self._write)
        self._worker_lock: IO[str] | None = None

    def prepare(self) -> None:
        """Create the table where it is missing."""
        with self._database.write() as connection:
            _metadata.create_all(connection)

    def append(self, delivery: Delivery) -> None:
        """Keep one delivery durably; callers in many threads share one sync."""
        with _answering(self._database, "cannot keep a delivery"):
            self._group.put(_row(delivery))

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        with self._database.write() as connection:
            connection.execute(insert(_inbox), rows)

    @contextmanager
    def take(self, limit: int) -> Iterator[Batch]:
        """Hold up to `limit` deliveries until the block ends; those not done by then wait again."""
        if self._database.is_sqlite:
            self._hold_alone()
            with self._reading() as connection:
                batch = _SqliteBatch(self._database, _read(connection, limit))
            yield batch
            return
        with ExitStack() as stack:
            with _answering(self._database, "gives nothing out"):
                connection = stack.enter_context(self._database.read())
                taken = _read(connection, limit, skip_locked=True)
            yield _PostgresBatch(self._database, connection, taken)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _answering(self._database, "gives nothing out"), self._database.read() as connection:
            yield connection

    def _hold_alone(self) -> None:
        if self._worker_lock is not None:
            return
        path = Path(f"{self._database.url.database}.worker-lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            message = f"Another worker holds the inbox ({path}). SQLite serves one worker: stop the other, or use PostgreSQL as inbox."
            raise WorkerAlreadyRunningError(message) from error
        self._worker_lock = lock

    def state(self) -> InboxState:
        """How much waits."""
        with self._reading() as connection:
            waiting, oldest_us = connection.execute(select(func.count(), func.min(_inbox.c.received_us))).one()
        return InboxState(waiting=waiting, oldest_received_at=None if oldest_us is None else from_us(oldest_us))

    def close(self) -> None:
        """Give back files and connections."""
        self._database.close()
        if self._worker_lock is not None:
            self._worker_lock.close()
            self._worker_lock = None


@dataclass(frozen=True, slots=True)
class _Taken:
    """Deliveries as read, with their numbers."""

    numbers: tuple[int, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class _SqliteBatch:
    """A batch of the one worker: read without a claim, deleted up to its last number."""

    _database: Database
    _taken: _Taken

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        return self._taken.deliveries

    def done(self) -> None:
        if not self._taken.numbers:
            return
        with _answering(self._database, "keeps what is done"), self._database.write() as connection:
            # Numbers grow in the order of commits, so nothing that came since can have a smaller one.
            connection.execute(delete(_inbox).where(_inbox.c.seq <= self._taken.numbers[-1]))


@dataclass(frozen=True, slots=True)
class _PostgresBatch:
    """A batch whose rows stay locked until the connection ends its transaction."""

    _database: Database
    _connection: Connection = field(repr=False)
    _taken: _Taken

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        return self._taken.deliveries

    def done(self) -> None:
        with _answering(self._database, "keeps what is done"):
            self._connection.execute(delete(_inbox).where(_inbox.c.seq.in_(self._taken.numbers)))
            self._connection.commit()


def _row(delivery: Delivery) -> dict[str, Any]:
    is_packed = len(delivery.body) >= _PACK_FROM_BYTES
    body = zstandard.ZstdCompressor(level=1).compress(delivery.body) if is_packed else delivery.body
    return {
        "id": delivery.id,
        "source": delivery.source,
        "esp": delivery.esp,
        "received_us": to_us(delivery.received_at),
        "content_type": delivery.content_type,
        "headers": orjson.dumps(dict(delivery.headers)).decode(),
        "query": delivery.query,
        "is_packed": int(is_packed),
        "body": body,
    }


def _read(connection: Connection, limit: int, *, skip_locked: bool = False) -> _Taken:
    statement = select(_inbox).order_by(_inbox.c.seq).limit(limit)
    rows = connection.execute(statement.with_for_update(skip_locked=True) if skip_locked else statement).all()
    return _Taken(tuple(row.seq for row in rows), tuple(_delivery(row) for row in rows))


def _delivery(row: Any) -> Delivery:  # noqa: ANN401 - a row's columns are known to the table only
    body = bytes(row.body)
    return Delivery(
        id=row.id,
        source=row.source,
        esp=row.esp,
        received_at=from_us(row.received_us),
        content_type=row.content_type,
        headers=orjson.loads(row.headers),
        query=row.query,
        body=zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST_BODY) if row.is_packed else body,
    )


@contextmanager
def _answering(database: Database, otherwise: str) -> Iterator[None]:
    """Whatever keeps the inbox from answering becomes the one error that everybody else knows."""
    try:
        yield
    except (DBAPIError, DatabaseUnavailableError) as error:
        message = f"The inbox {database.described} {otherwise} ({_first_line(error)}). Check its disk and server, and HOPP_INBOX."
        raise InboxUnavailableError(message) from error


def _first_line(error: Exception) -> str:
    found = error.__cause__ or error if isinstance(error, DatabaseUnavailableError) else error
    cause = found.orig if isinstance(found, DBAPIError) else found
    return str(cause).strip().split("\n", maxsplit=1)[0]
