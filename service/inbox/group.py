"""How do many threads share one durable write?

The first thread to come writes for all that queued while the write before it ran; nobody waits for company. One sync then
serves as many requests as came during the last one.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

Row = TypeVar("Row")


class _Entry(Generic[Row]):
    """One row on its way, and what became of it."""

    __slots__ = ("error", "is_written", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.is_written = False
        self.error: Exception | None = None


class GroupCommit(Generic[Row]):
    """Calls `write` with the rows of all threads that wait; each caller returns once its own row is durable."""

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self._write = write
        self._queue: list[_Entry[Row]] = []
        self._queue_lock = Lock()
        self._write_lock = Lock()

    def put(self, row: Row) -> None:
        """Return once the row is written, or raise what kept it from being written."""
        entry = _Entry(row)
        with self._queue_lock:
            self._queue.append(entry)
        with self._write_lock:
            if not entry.is_written and entry.error is None:
                with self._queue_lock:
                    entries, self._queue = self._queue, []
                self._write_all(entries)
        if entry.error is not None:
            raise entry.error

    def _write_all(self, entries: Sequence[_Entry[Row]]) -> None:
        try:
            self._write([entry.row for entry in entries])
        except Exception as error:  # noqa: BLE001 - whatever went wrong has to reach the thread whose row it was
            if len(entries) == 1:
                entries[0].error = error
                return
            for entry in entries:  # one bad row must not refuse the others
                self._write_all([entry])
            return
        for entry in entries:
            entry.is_written = True
