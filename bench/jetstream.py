"""What does an inbox in NATS JetStream take? Three nodes on one machine, each message synced by all before it is acknowledged."""

import time
from pathlib import Path
from statistics import median

from bench.cpu import spent_by
from bench.loads import ledger_of, loaded
from bench.results import Section, Table, shown
from bench.servers import Stores, bare_flask, hopp
from bench.setting import Bench, checkpoint, postgres, say
from bench.single import answered, plan
from tests.nats_cluster import own_cluster

_WORTH = (
    "The three servers sync each message on the one disk, and take the cores that web and worker want. Their worth is replication, and "
    "that posts are accepted while the database is down; they are no way to speed."
)


def measure(bench: Bench) -> Section:
    """Bare Flask, the inbox in PostgreSQL and the inbox in NATS in turn, each until all can be seen."""
    found: dict[str, list[tuple[float, float]]] = {"bare Flask": [], "inbox in PostgreSQL": [], "inbox in NATS, three nodes": []}
    with postgres() as (server, postmaster), own_cluster() as cluster:
        for _ in range(bench.repeats):
            for name, runs in found.items():
                with server.databases.fresh() as url, bench.fresh_folder() as folder:
                    checkpoint(url)
                    inbox = cluster.fresh_url() if "NATS" in name else url
                    runs.append(_bare(bench, folder, url) if name == "bare Flask" else _seen(bench, folder, url, inbox, postmaster))
                say(f"  {name:<28} {runs[-1][0]:8,.0f} accepted a second, {runs[-1][1]:8,.0f} visible")
    bare, postgresql, nats = found.values()
    ratio = [ours[1] / theirs[1] for ours, theirs in zip(nats, postgresql, strict=True)]
    rows = [(name, *(shown(median(run[place] for run in runs)) for place in (0, 1))) for name, runs in found.items()]
    share = median(ours[1] / theirs[1] for ours, theirs in zip(nats, bare, strict=True))
    return Section(
        key="jetstream",
        title="Inbox in NATS JetStream: three nodes on this one machine",
        body=(
            f"Visible with the inbox in NATS / in PostgreSQL: {shown(median(ratio))} ({', '.join(map(shown, ratio))}).",
            Table(head=("run", "accepted a second", "visible a second"), rows=rows),
            f"Visible with NATS is {shown(share)} of bare Flask. {_WORTH}",
        ),
    )


def _bare(bench: Bench, folder: Path, url: str) -> tuple[float, float]:
    with bare_flask(folder, Stores(database=url, inbox=url)) as running, loaded(plan(bench, running, 1, repeats=True)) as run:
        outcome = answered(run())
    return outcome.per_second, outcome.per_second


def _seen(bench: Bench, folder: Path, url: str, inbox: str, postmaster: int) -> tuple[float, float]:
    with hopp(folder, Stores(database=url, inbox=inbox)) as running, ledger_of(url) as ledger:
        with loaded(plan(bench, running, 1)) as run, spent_by({**running.pids, "postgres": postmaster}):
            began = time.perf_counter()
            outcome = answered(run())
            seconds = ledger.wait_for(outcome.accepted, since=began)
        ledger.check(outcome.accepted)
    return outcome.per_second, outcome.accepted / seconds
