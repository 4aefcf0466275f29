"""What does one event cost the worker and its database? Parse, label, fold and write, in batches of 500 stored deliveries.

Prints microseconds of CPU an event, of this process and of PostgreSQL together: on a shared machine CPU is the figure to
keep, the clock is not. `python -m bench.process 50000` takes more events.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.cpu import spent_by
from bench.loads import LostError
from bench.results import Goal, Section, Table, shown
from bench.setting import Bench, postgres, say
from bench.traffic import Mail, deliveries
from service.bootstrap import build
from service.model.events import Delivery
from service.model.moments import to_us
from service.pipeline.process import process
from service.pipeline.reading import Tools
from service.settings import load_settings
from service.store import schema

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an event took."""

    worker_us: float
    server_us: float
    per_second: float

    @property
    def us(self) -> float:
        return self.worker_us + self.server_us


@contextmanager
def tools_on(url: str) -> Iterator[Tools]:
    """What processing stands on, with fresh tables."""
    tools = build(load_settings({"HOPP_DATABASE": url})).tools()
    schema.migrate(tools.database)
    try:
        yield tools
    finally:
        tools.database.close()


def feed(tools: Tools, batches: list[list[Delivery]], postmaster: int | None) -> Cost:
    """Process these batches, one after the other."""
    with spent_by({} if postmaster is None else {"postgres": postmaster}) as spent:
        own, began = time.process_time(), time.perf_counter()
        recorded = sum(process(batch, tools, now_us=to_us(batch[-1].received_at)).events for batch in batches)
        own, seconds = time.process_time() - own, time.perf_counter() - began
    events = sum(map(len, batches))
    if recorded != events:
        raise LostError(f"{recorded} of {events} events were recorded: the log above says why")
    return Cost(worker_us=own / events * 1e6, server_us=spent.total / events * 1e6, per_second=events / seconds)


def batches_of(numbers: range, *, seed: int, total: int, mail: Mail) -> list[list[Delivery]]:
    """Deliveries in batches of 500."""
    return [
        deliveries(range(start, min(start + BATCH, numbers.stop)), seed=seed, total=total, mail=mail)
        for start in range(numbers.start, numbers.stop, BATCH)
    ]


def cost(url: str, events: int, postmaster: int | None, mail: Mail | None = None) -> Cost:
    """What an event takes in fresh tables, with rules, plans and connections warm."""
    mail = replace(mail or Mail(), newest=datetime.now(UTC))
    with tools_on(url) as tools:
        feed(tools, batches_of(range(BATCH), seed=0, total=BATCH, mail=mail), None)
        return feed(tools, batches_of(range(events), seed=1, total=events, mail=mail), postmaster)


def measure(bench: Bench) -> Section:
    """Both databases in turn."""
    events = bench.count(20_000, least=2 * BATCH)
    found: dict[str, list[Cost]] = {"PostgreSQL": [], "SQLite": []}
    with postgres() as (server, postmaster):
        for _ in range(bench.repeats):
            with server.databases.fresh() as url:
                found["PostgreSQL"].append(cost(url, events, postmaster))
            with bench.fresh_folder() as folder:
                found["SQLite"].append(cost(f"sqlite:///{folder}/hopp.sqlite", events, None))
            for name, costs in found.items():
                say(f"  {name:<12} {costs[-1].us:6.1f} us an event ({costs[-1].worker_us:.1f} worker + {costs[-1].server_us:.1f} server)")
    return _section(found, events)


def _section(found: dict[str, list[Cost]], events: int) -> Section:
    bound = "Python's share is parsing, labelling and folding (see the profile), the server's is its indexes and the write-ahead log."
    goals = [
        Goal(
            what=f"{name}: CPU of worker and database, each event", wanted=60, reached=[item.us for item in costs], sense="at most",
            unit="µs", bound=bound,
        )
        for name, costs in found.items()
    ]  # fmt: skip
    rows = [
        (
            name,
            shown(median(item.worker_us for item in costs)),
            shown(median(item.server_us for item in costs)),
            shown(median(item.per_second for item in costs)),
        )
        for name, costs in found.items()
    ]
    return Section(
        key="processing",
        title=f"Processing: {events:,} stored Mailgun deliveries in batches of 500",
        goals=goals,
        body=(
            "80 % of the mail goes to one domain, one event in twenty is a bounce.",
            Table(head=("database", "worker µs", "server µs", "events a second, one worker"), rows=rows),
        ),
    )


def main() -> None:
    """Measure both databases once."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        measure(Bench(folder=Path(folder), repeats=1, scale=events / 20_000))


if __name__ == "__main__":
    main()
