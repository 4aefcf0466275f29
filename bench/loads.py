"""How is a server loaded from a process beside it, and how much of what it accepted can be seen in the database?"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sqlalchemy import text

from bench.client import Outcome, Plan
from service.store.database import Database
from tests.e2e.serving import ROOT, environment_with

_DRAIN_SECONDS = 300.0
_POLL_SECONDS = 0.05


class LostError(Exception):
    """What was accepted is not what is kept: the figures of this run mean nothing."""


@contextmanager
def loaded(plan: Plan) -> Iterator[Callable[[], Outcome]]:
    """A client with its posts ready; call what it gives to let it post."""
    command = [sys.executable, "-m", "bench.client"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment_with()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines, answers = process.stdin, process.stdout
        lines.write(json.dumps(asdict(plan)) + "\n")
        lines.flush()
        if answers.readline() != "ready\n":
            raise RuntimeError("the client did not get ready")

        def run() -> Outcome:
            lines.write("go\n")
            lines.flush()
            answer = answers.readline()
            if not answer:
                raise RuntimeError("the client ended without an answer: its error stands above")
            return Outcome(**json.loads(answer))

        try:
            yield run
        finally:
            process.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the main database holds."""

    recorded: int  # events
    rolled_up: int  # attempts in the hourly roll-ups


class Ledger:
    """Counts what is kept, to hold it against what was accepted."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def visible(self) -> int:
        """Events whose transaction is done, roll-ups and all: they are counted in it by what became of them."""
        return self._number("SELECT coalesce(sum(count), 0) FROM source_hourly WHERE outcome = 'events'")

    def seen(self) -> Seen:
        """Counted in the tables themselves."""
        return Seen(
            recorded=self._number("SELECT count(*) FROM events"),
            rolled_up=self._number("SELECT coalesce(sum(warm_n + cold_n + repeat_k), 0) FROM domain_hourly"),
        )

    def wait_for(self, events: int, *, since: float) -> float:
        """Seconds from then until so many events can be seen."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self.visible() < events:
            if time.monotonic() > deadline:
                raise LostError(f"{events} events were accepted, {self.visible()} can be seen {_DRAIN_SECONDS:.0f} s later")
            time.sleep(_POLL_SECONDS)
        return time.perf_counter() - since

    def check(self, accepted: int) -> None:
        """Raise LostError where events, roll-ups and 2xx do not agree."""
        seen = self.seen()
        if seen != Seen(recorded=accepted, rolled_up=accepted):
            raise LostError(f"{accepted} events were accepted, but {seen}")

    def count(self, table: str) -> int:
        """Rows of any table."""
        return self._number(f"SELECT count(*) FROM {table}")

    def _number(self, query: str) -> int:
        with self._database.read() as connection:
            return int(connection.execute(text(query)).scalar_one())

    def close(self) -> None:
        """Give back the connection."""
        self._database.close()


@contextmanager
def ledger_of(url: str) -> Iterator[Ledger]:
    """A ledger that is closed afterwards."""
    ledger = Ledger(url)
    try:
        yield ledger
    finally:
        ledger.close()
