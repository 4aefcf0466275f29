"""How do many deliveries share one durable write?

One thread writes, and whatever comes meanwhile waits for its next write: one sync serves as many as came during the last
one. Where several came, it waits a moment for more of them, since a fast disk would make many small groups; what comes
alone waits for nobody.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

import structlog

from service.inbox.port import Settled
from service.model.errors import InboxUnavailableError

log = structlog.get_logger()
Row = TypeVar("Row")
GROUP_MAX = 64  # rows of one write
_GATHER_SECONDS = 0.002


class GroupCommit(Generic[Row]):
    """Calls `write` with all rows that wait, in a thread of its own, which starts with the first of them in each process.

    InboxUnavailableError from `write` means that no row is to blame: whatever waits gets it at once, instead of one after the
    other finding out the same. After any other error the rows are written one by one, so that a bad one refuses no other.
    """

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self._write = write
        self._lock = Lock()
        self._writer: _Writer[Row] | None = None

    def begin(self, row: Row, settled: Settled) -> None:
        """Return at once; `settled` is called from the writing thread once the row is durable, or with what kept it from that."""
        with self._lock:  # so that nothing is put behind the end
            writer = self._writer
            if writer is None or writer.process != os.getpid():  # after a fork the thread is the parent's
                writer = self._writer = _Writer(self._write)
            writer.waiting.put((row, settled))

    def close(self) -> None:
        """End the thread once all that waits is settled; the next row starts another."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is None or writer.process != os.getpid():
                return
            writer.waiting.put(None)
        writer.thread.join()


class _Writer(Generic[Row]):
    """The thread, and what waits for it."""

    def __init__(self, write: Callable[[Sequence[Row]], None]) -> None:
        self.process = os.getpid()
        self.waiting: SimpleQueue[tuple[Row, Settled] | None] = SimpleQueue()
        self._write = write
        self.thread = Thread(target=self._run, name="inbox", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        has_company = False  # the last group had more than one row
        while (first := self.waiting.get()) is not None:
            if has_company:
                time.sleep(_GATHER_SECONDS)
            group = [first, *self._more(GROUP_MAX - 1)]
            has_company = len(group) > 1
            self._settle(group)

    def _more(self, limit: int) -> list[tuple[Row, Settled]]:
        """What waits beside the first, without waiting for it."""
        found: list[tuple[Row, Settled]] = []
        with suppress(Empty):
            while len(found) < limit:
                entry = self.waiting.get_nowait()
                if entry is None:
                    self.waiting.put(None)  # the end, once all before it is settled
                    break
                found.append(entry)
        return found

    def _settle(self, group: Sequence[tuple[Row, Settled]]) -> None:
        try:
            self._write([row for row, _ in group])
        except InboxUnavailableError as error:
            _tell([*group, *self._more(self.waiting.qsize())], error)
        except Exception as error:  # noqa: BLE001 - whatever went wrong has to reach whose row it was
            if len(group) == 1:
                _tell(group, error)
                return
            for entry in group:
                self._settle([entry])
        else:
            _tell(group, None)


def _tell(group: Sequence[tuple[Row, Settled]], error: Exception | None) -> None:
    for _, settled in group:
        try:
            settled(error)
        except Exception:  # the others still wait to hear
            log.exception("settled_unheard")
