"""How fast is a filled inbox drained, by one worker and by two?"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

import psutil
from sqlalchemy import make_url

from bench.cpu import spent_by
from bench.loads import ledger_of
from bench.results import Section, Table, shown
from bench.servers import Stores, prepare, worker
from bench.setting import Bench, checkpoint, postgres, say
from bench.traffic import Mail, deliveries
from service.bootstrap import build
from service.settings import load_settings
from tests.postgres import PostgresServer

_DELIVERIES = 60_000
_THREADS = 32
_CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How it went."""

    per_second: float  # from the first event that could be seen to the last
    cpu_us: float


def fill(stores: Stores, count: int, mail: Mail | None = None) -> None:
    """Append so many deliveries as the web does, from many threads."""
    inbox = build(load_settings(stores.variables)).inbox
    mail = replace(mail or Mail(), newest=datetime.now(UTC))
    told = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, count, _CHUNK):
            chunk = deliveries(range(start, min(start + _CHUNK, count)), seed=1, total=count, mail=mail)
            list(pool.map(inbox.append, chunk, chunksize=50))
            if time.perf_counter() - told > 15:  # noqa: PLR2004 - seconds between two signs of life
                told = time.perf_counter()
                say(f"  {start + len(chunk):,} of {count:,} deliveries wait")
    inbox.close()


@contextmanager
def filled(bench: Bench, server: PostgresServer, count: int, mail: Mail | None = None) -> Iterator[str]:
    """A database with tables and so many deliveries that wait."""
    with server.databases.fresh() as url, bench.fresh_folder() as folder:
        stores = Stores(database=url, inbox=url)
        prepare(folder, stores)
        fill(stores, count, mail)
        yield url


def drained(bench: Bench, url: str, count: int, *, workers: int, postmaster: int) -> Drained:
    """Start workers, and wait until all can be seen."""
    with bench.fresh_folder() as folder, ledger_of(url) as ledger, ExitStack() as stack:
        environment = prepare(folder, Stores(database=url, inbox=url))
        checkpoint(url)
        pids = {f"worker {number}": stack.enter_context(worker(folder, environment)) for number in range(workers)}
        ledger.wait_for(1, since=0.0)
        seen, began = ledger.visible(), time.perf_counter()
        with spent_by({**pids, "postgres": postmaster}) as spent:
            seconds = ledger.wait_for(count, since=began)
        ledger.check(count)
    return Drained(per_second=max(count - seen, 1) / seconds, cpu_us=spent.total / max(count - seen, 1) * 1e6)


def measure(bench: Bench) -> Section:
    """One worker and two in turn, each on its own copy of the same filled inbox."""
    count = bench.count(_DELIVERIES, least=4_000)
    found: dict[int, list[Drained]] = {1: [], 2: []}
    with postgres() as (server, postmaster), filled(bench, server, count) as full:
        for _ in range(bench.repeats):
            for workers, runs in found.items():
                with server.databases.fresh(template=make_url(full).database or "") as url:
                    runs.append(drained(bench, url, count, workers=workers, postmaster=postmaster))
                say(f"  {workers} of them: {runs[-1].per_second:,.0f} events a second, {runs[-1].cpu_us:.1f} us each")
    ratio = [two.per_second / one.per_second for one, two in zip(found[1], found[2], strict=True)]
    rows = [
        (str(workers), shown(median(run.per_second for run in runs)), shown(median(run.cpu_us for run in runs)))
        for workers, runs in found.items()
    ]
    return Section(
        key="backlog",
        title=f"Backlog: an inbox with {count:,} deliveries, PostgreSQL",
        body=(
            f"Two workers / one: {shown(median(ratio))} ({', '.join(map(shown, ratio))}), on {psutil.cpu_count()} cores in all.",
            Table(head=("workers", "events a second", "CPU µs an event"), rows=rows),
        ),
    )
