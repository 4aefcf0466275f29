"""How do many threads share one durable write?

The first thread to come writes for itself at once. Whoever comes meanwhile waits for the next write, which one of them does
for all: one sync serves as many requests as came during the last one. Where several came, the next writer waits a moment for more
of them, since a fast disk would make many small groups; whoever comes alone waits for nobody.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from service.model.errors import InboxUnavailableError

Row = TypeVar("Row")
GROUP_MAX = 64  # rows of one write
_GATHER_SECONDS = 0.002


class _Entry(Generic[Row]):
    """One row on its way, and what became of it."""

    __slots__ = ("error", "is_settled", "is_written", "row", "turn")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.is_written = False
        self.is_settled = False
        self.error: Exception | None = None
        self.turn = Lock()  # held until the row is settled, or its thread is the next to write
        self.turn.acquire()


class GroupCommit(Generic[Row]):
    """Calls `write` with the rows of all threads that wait; each caller returns once its own row is durable.

    InboxUnavailableError from `write` means that no row is to blame: whoever waits gets it at once, instead of one after the
    other finding out the same. After any other error the rows are written one by one, so that a bad one refuses no other.
    """

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self._write = write
        self._lock = Lock()
        self._queue: list[_Entry[Row]] = []
        self._is_writing = False
        self._has_company = False  # the last group had more than one row

    def put(self, row: Row) -> None:
        """Return once the row is written, or raise what kept it from being written."""
        entry = _Entry(row)
        with self._lock:
            self._queue.append(entry)
            has_to_wait, self._is_writing = self._is_writing, True
        if has_to_wait:
            entry.turn.acquire()
        if not entry.is_settled:
            self._lead()
        if entry.error is not None:
            raise entry.error

    def _lead(self) -> None:
        """Write what waits, the caller's own row among it; the next to write is called before anybody else goes on."""
        if self._has_company:
            time.sleep(_GATHER_SECONDS)
        with self._lock:
            group, self._queue = self._queue[:GROUP_MAX], self._queue[GROUP_MAX:]
            self._has_company = len(group) > 1
        failure = InboxUnavailableError("The thread that wrote for this one was ended. Try again.")
        try:
            self._write_all(group)
        except InboxUnavailableError as error:
            failure = error
            with self._lock:
                group, self._queue = group + self._queue, []
        finally:
            self._pass_on(group, failure)

    def _write_all(self, group: Sequence[_Entry[Row]]) -> None:
        try:
            self._write([entry.row for entry in group])
        except InboxUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong has to reach the thread whose row it was
            if len(group) == 1:
                group[0].error = error
                return
            for entry in group:
                self._write_all([entry])
        else:
            for entry in group:
                entry.is_written = True

    def _pass_on(self, group: Iterable[_Entry[Row]], failure: Exception) -> None:
        for entry in group:
            if not entry.is_written and entry.error is None:
                entry.error = failure
            entry.is_settled = True
        with self._lock:
            successor = self._queue[0] if self._queue else None
            self._is_writing = successor is not None
        if successor is not None:
            successor.turn.release()
        for entry in group:
            entry.turn.release()
