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

from sqlalchemy import Connection, LargeBinary, case, delete, func, select
from sqlalchemy.exc import DBAPIError

from service.inbox import rows
from service.inbox.appender import DRIVER_ERRORS, Appender
from service.inbox.group import GroupCommit
from service.inbox.port import Batch, Inbox, InboxState, Settled, SourceWaiting, WorkerAlreadyRunningError
from service.inbox.rows import delivery_of, inbox, row_of
from service.model.errors import InboxUnavailableError
from service.model.events import Delivery
from service.model.moments import from_us
from service.store.database import Database, DatabaseUnavailableError
from service.store.packing import HEAD_BYTES, unpacked_bytes

_CANNOT_KEEP, _GIVES_NOTHING, _KEEPS_DONE = "cannot keep a delivery", "gives nothing out", "keeps what is done"
_OF_THE_DATABASE = (*DRIVER_ERRORS, DatabaseUnavailableError)
_PATIENCE_SECONDS = 8  # a server that is slower is told to an ESP as unavailable: most wait for ten or more
_BATCH_BYTES = 8_000_000  # of bodies, unpacked: some 20,000 events
_READ_ALONG_BYTES = 16_384  # a larger body is read only once it is known to fit
_ASKED_AT_FIRST = 1_000  # deliveries
_LOOKED_AT = 10_000  # of the deliveries that wait, for how much waits of each source


class SqlInbox(Inbox):
    """An inbox behind a database URL."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, patience_seconds=_PATIENCE_SECONDS)
        self._appender = Appender(self._database, lambda error: _unavailable(self._database, _CANNOT_KEEP, error))
        self._group: GroupCommit[rows.Row] = GroupCommit(self._appender.write)
        self._worker_lock: IO[str] | None = None
        self._asked = _ASKED_AT_FIRST

    def prepare(self) -> None:
        """Create the table where it is missing."""
        with self._database.write() as connection:
            rows.metadata.create_all(connection)

    def begin(self, delivery: Delivery, settled: Settled) -> None:
        """Keep one delivery durably; deliveries that come together share one sync."""
        self._group.begin(row_of(delivery), lambda error: settled(error and _explained(self._database, _CANNOT_KEEP, error)))

    @contextmanager
    def take(self, limit: int) -> Iterator[Batch]:
        """Hold up to `limit` deliveries, fewer where they are large, until the block ends; those not done by then wait again."""
        if self._database.is_sqlite:
            self.hold()
            with self._reading() as connection:
                batch = _SqliteBatch(self._database, self._read(connection, limit))
            yield batch
            return
        with ExitStack() as stack:
            with _answering(self._database, _GIVES_NOTHING):
                connection = stack.enter_context(self._database.read())
                taken = self._read(connection, limit)
            yield _PostgresBatch(self._database, connection, taken)

    def _read(self, connection: Connection, limit: int) -> "_Taken":
        """As many as fit into memory; after large ones fewer are asked for, so that none is locked in vain."""
        limit = min(limit, self._asked)
        found = _find(connection, limit)
        fitting = _fitting(found)
        if len(fitting) < len(found):
            limit = len(fitting)
            if not self._database.is_sqlite:
                connection.rollback()  # gives back those that do not fit
                fitting = _fitting(_find(connection, limit))
        self._asked = 2 * limit
        bodies = _large_bodies(connection, fitting)
        return _Taken(
            tuple(row.seq for row in fitting),
            tuple(delivery_of(row, bytes(bodies[row.seq] if row.body is None else row.body)) for row in fitting),
        )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _answering(self._database, _GIVES_NOTHING), self._database.read() as connection:
            yield connection

    def hold(self) -> None:
        """Be the one worker that SQLite serves, until closed; raises WorkerAlreadyRunningError where another one is."""
        if self._worker_lock is not None or not self._database.is_sqlite:
            return
        path = Path(f"{self._database.url.database}.worker-lock")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.open("w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            message = f"Another worker holds the inbox ({path}). SQLite serves one worker: stop the other, or use PostgreSQL as inbox."
            raise WorkerAlreadyRunningError(message) from error
        self._worker_lock = lock

    def state(self) -> InboxState:
        """How much waits; reads no more than the oldest of it, however much that is."""
        with self._reading() as connection:
            first, last = connection.execute(select(func.min(inbox.c.seq), func.max(inbox.c.seq))).one()
            if first is None:
                return InboxState(waiting=0, oldest_received_at=None, sources={})
            oldest = select(inbox.c.source, inbox.c.received_us).order_by(inbox.c.seq).limit(_LOOKED_AT).subquery()
            figures = (oldest.c.source, func.count(), func.min(oldest.c.received_us))
            found = connection.execute(select(*figures).group_by(oldest.c.source)).all()
        sources = {source: SourceWaiting(waiting=count, oldest_received_at=from_us(us)) for source, count, us in found}
        looked_at = sum(item.waiting for item in sources.values())
        return InboxState(
            # Numbers are given out one after the other, so beyond what was looked at they tell how many there are.
            waiting=looked_at if looked_at < _LOOKED_AT else max(last - first + 1, looked_at),
            oldest_received_at=min((item.oldest_received_at for item in sources.values()), default=None),
            sources=sources,
        )

    def close(self) -> None:
        """Give back files and connections."""
        self._group.close()
        self._appender.close()
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
        with _answering(self._database, _KEEPS_DONE), self._database.write() as connection:
            # Numbers grow in the order of commits, so nothing that came since can have a smaller one.
            connection.execute(delete(inbox).where(inbox.c.seq <= self._taken.numbers[-1]))


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
        with _answering(self._database, _KEEPS_DONE):
            self._connection.exec_driver_sql("DELETE FROM inbox WHERE seq = ANY(%s)", (list(self._taken.numbers),))
            self._connection.commit()


def _find(connection: Connection, limit: int) -> Sequence[Any]:
    """The oldest deliveries that nobody holds, without their bodies where these are large."""
    stored_bytes = func.length(inbox.c.body)
    statement = (
        select(
            *(column for column in inbox.columns if column.name != "body"),
            case((stored_bytes <= _READ_ALONG_BYTES, inbox.c.body)).label("body"),
            func.substr(inbox.c.body, 1, HEAD_BYTES, type_=LargeBinary).label("head"),
            stored_bytes.label("stored_bytes"),
        )
        .order_by(inbox.c.seq)
        .limit(limit)
    )
    # SQLite knows no such lock and leaves it out.
    return connection.execute(statement.with_for_update(skip_locked=True)).all()


def _fitting(found: Sequence[Any]) -> Sequence[Any]:
    """The first of them that together are not too large to be unpacked at once; the very first in any case."""
    size = 0
    for number, row in enumerate(found):
        size += unpacked_bytes(bytes(row.head)) if row.is_packed else row.stored_bytes
        if size > _BATCH_BYTES and number:
            return found[:number]
    return found


def _large_bodies(connection: Connection, found: Sequence[Any]) -> dict[int, bytes]:
    """The bodies that were not read along, by number."""
    large = [row.seq for row in found if row.body is None]
    if not large:
        return {}
    stored = connection.execute(select(inbox.c.seq, inbox.c.body).where(inbox.c.seq.in_(large)))
    return {row.seq: row.body for row in stored}


@contextmanager
def _answering(database: Database, otherwise: str) -> Iterator[None]:
    """Whatever keeps the inbox from answering becomes the one error that everybody else knows."""
    try:
        yield
    except _OF_THE_DATABASE as error:
        raise _unavailable(database, otherwise, error) from error


def _explained(database: Database, otherwise: str, error: Exception) -> Exception:
    return _unavailable(database, otherwise, error) if isinstance(error, _OF_THE_DATABASE) else error


def _unavailable(database: Database, otherwise: str, error: Exception) -> InboxUnavailableError:
    found = error.__cause__ or error if isinstance(error, DatabaseUnavailableError) else error
    cause = found.orig if isinstance(found, DBAPIError) else found
    reason = str(cause).strip().split("\n", maxsplit=1)[0]
    return InboxUnavailableError(f"The inbox {database.described} {otherwise} ({reason}). Check its disk and server, and HOPP_INBOX.")
