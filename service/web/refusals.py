"""How do refused posts reach the tables without a write for each of them?

They are counted in memory and written together, every few seconds, by a thread of their own: no request waits for it, and somebody who
posts junk by the thousand costs one small write. A crash loses the counts of the last seconds, which nothing hangs on.
"""

from collections import Counter
from threading import Event as Signal
from threading import Lock, Thread

import structlog

from service.bootstrap import Hopp
from service.model.moments import hour_of, to_us
from service.pipeline.refusals import RefusedPost, record_refused

log = structlog.get_logger()
FLUSH_SECONDS = 5.0


class Refusals:
    """Counts of one web process. The thread starts with the first refused post, so that it lives in the process that serves."""

    def __init__(self, hopp: Hopp, *, flush_seconds: float | None = None) -> None:
        self._hopp = hopp
        self._flush_seconds = FLUSH_SECONDS if flush_seconds is None else flush_seconds
        self._counts: Counter[RefusedPost] = Counter()
        self._lock = Lock()
        self._closing = Signal()
        self._thread: Thread | None = None

    def count(self, source: str, *, is_challenged: bool = False) -> None:
        """Count one refused post of a configured source; `is_challenged` where it came without a password and was asked for it."""
        post = RefusedPost(source, hour_of(to_us(self._hopp.now())), is_challenged)
        with self._lock:
            self._counts[post] += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what was counted since the last time; while the database is away it is kept for the next."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            record_refused(self._hopp.database, counts, self._hopp.settings, to_us(self._hopp.now()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread, and the counts can wait
            log.warning("refusals_not_counted", error=type(error).__name__, posts=counts.total(), next_try_in_seconds=self._flush_seconds)
            with self._lock:
                self._counts.update(counts)

    def close(self) -> None:
        """End the thread; what it was about to write is lost."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._flush_seconds):
            self.flush()
