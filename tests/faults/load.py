"""How does a test load a service while its parts fail, and how does it find out afterwards what was lost?"""

import time
from collections import Counter
from dataclasses import dataclass
from threading import Event as Signal
from threading import Lock, Thread
from typing import Self

import orjson
from sqlalchemy import text

from service.store.database import Database
from tests.e2e.posting import Sender
from tests.e2e.serving import wait_until

_ACCEPTED = 200
_TWICE_EACH = 5
_PAUSE_SECONDS = 0.005  # leaves room for the service on a small machine
_RETRY_SECONDS = 0.05  # an ESP waits longer


def event_body(id_: str) -> bytes:
    """One event that no other load posts."""
    event = {"kind": "delivered", "recipient": f"{id_}@steel.example", "esp_event_id": id_, "occurred_at": "2026-03-02T08:00:00Z"}
    return orjson.dumps(event)


class Load:
    """Posts events one by one from several threads, each fifth of them twice, and remembers which were accepted."""

    def __init__(self, url: str, sender: Sender, *, posters: int = 4) -> None:
        self._url, self._sender = url, sender
        self._lock, self._stop = Lock(), Signal()
        self._count = 0
        self.accepted: Counter[str] = Counter()  # how often each event was
        self.refused: Counter[int] = Counter()  # by status; 0 where the connection broke
        self._threads = [Thread(target=self._post_on, daemon=True) for _ in range(posters)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every thread finish the post in hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def wait_for(self, more: int) -> None:
        """Go on until so many more posts were accepted."""
        goal = self.accepted.total() + more
        wait_until(lambda: self.accepted.total() >= goal, f"{more} more posts are accepted")

    def wait_for_refusals(self, status: int, more: int) -> None:
        """Go on until so many more posts got this status."""
        goal = self.refused[status] + more
        wait_until(lambda: self.refused[status] >= goal, f"{more} more posts get {status}")

    def _post_on(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._count += 1
                number = self._count
            if self._post(f"event-{number}") and number % _TWICE_EACH == 0:
                self._post(f"event-{number}")

    def _post(self, id_: str) -> bool:
        status = self._sender.post(self._url, event_body(id_))
        is_accepted = status == _ACCEPTED
        with self._lock:
            if is_accepted:
                self.accepted[id_] += 1
            else:
                self.refused[status] += 1
        self._stop.wait(_PAUSE_SECONDS if is_accepted else _RETRY_SECONDS)
        return is_accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the main database has of a load."""

    events: Counter[str]
    recorded: int
    counted: int  # in the roll-ups, at the same moment
    duplicates: int


def load_kept(database: Database) -> Kept:
    """Read it from events, roll-ups and outcomes."""
    with database.read() as connection:
        duplicates = connection.execute(text("SELECT coalesce(sum(count), 0) FROM source_hourly WHERE outcome = 'duplicates'")).scalar_one()
        events = Counter(connection.execute(text("SELECT esp_event_id FROM events")).scalars())
        # One statement sees one moment, though the worker goes on.
        recorded, counted = connection.execute(
            text("SELECT (SELECT count(*) FROM events), (SELECT coalesce(sum(warm_n + cold_n), 0) FROM domain_hourly)")
        ).one()
    return Kept(events=events, recorded=int(recorded), counted=int(counted), duplicates=int(duplicates))


def assert_nothing_is_lost(accepted: Counter[str], database_url: str, fault: str) -> None:
    """Wait for all that was accepted, and say how it stands: each event is kept and counted once, each copy as a duplicate."""
    database = Database(database_url)
    copies = accepted.total() - len(accepted)
    started = time.monotonic()
    try:
        wait_until(lambda: _is_complete(load_kept(database), accepted, copies), "everything accepted arrives")
    finally:
        kept = load_kept(database)
        database.close()
        lost, copies_lost = len(accepted.keys() - kept.events.keys()), max(copies - kept.duplicates, 0)
        seconds = time.monotonic() - started
        counts = f"{accepted.total()} accepted, {seconds:.1f} s later: duplicates lost = {copies_lost}, accepted lost = {lost}"
        print(f"\n{fault}: {counts}")  # noqa: T201 - what `make faults` shows
    assert (lost, copies_lost) == (0, 0)
    assert set(kept.events.values()) <= {1}
    assert kept.counted == kept.recorded, "each kept event is counted once"


def _is_complete(kept: Kept, accepted: Counter[str], copies: int) -> bool:
    return accepted.keys() <= kept.events.keys() and kept.duplicates >= copies
