"""How much memory does a worker take with a million deliveries waiting?"""

import time

from bench.backlog import fill
from bench.cpu import resident_mb
from bench.loads import ledger_of
from bench.results import Goal, Section
from bench.servers import Stores, prepare, sqlite_in, worker
from bench.setting import Bench, postgres, say

_WAITING = 1_000_000
_WATCHED = 100_000  # events, while which the memory is looked at
_PATIENCE_SECONDS = 600.0


def measure(bench: Bench) -> Section:
    """On both databases; how many wait is the same."""
    waiting, watched = bench.count(_WAITING, least=5_000), bench.count(_WATCHED, least=2_000)
    with postgres() as (server, _), server.databases.fresh() as url:
        on_postgres = bench.once(f"memory postgresql {waiting}", lambda: _peak_mb(bench, Stores(database=url, inbox=url), waiting, watched))
    with bench.fresh_folder() as folder:
        on_sqlite = bench.once(f"memory sqlite {waiting}", lambda: _peak_mb(bench, sqlite_in(folder), waiting, watched))
    goals = [
        Goal(what=f"worker on {name}, {waiting:,} deliveries waiting, at its most", wanted=300, reached=[peak], sense="at most", unit="MB")
        for name, peak in (("PostgreSQL", on_postgres), ("SQLite", on_sqlite))
    ]
    return Section(key="memory", title=f"Memory of a worker, watched while it takes {watched:,} events", goals=goals)


def _peak_mb(bench: Bench, stores: Stores, waiting: int, watched: int) -> float:
    with bench.fresh_folder() as folder, ledger_of(stores.database) as ledger:
        environment = prepare(folder, stores)
        fill(stores, waiting)
        peak, deadline = 0.0, time.monotonic() + _PATIENCE_SECONDS
        with worker(folder, environment) as pid:
            while ledger.visible() < watched:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"after {_PATIENCE_SECONDS:.0f} s only {ledger.visible()} events can be seen")
                peak = max(peak, resident_mb(pid)[0])
                time.sleep(0.2)
    say(f"  {waiting:,} deliveries waiting: a worker takes {peak:.0f} MB at its most")
    return peak
