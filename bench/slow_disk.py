"""What does a slow disk cost? A shim lets each sync take 4 ms more; SQLite, web alone, beside a view that commits once a request."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.client import Outcome
from bench.loads import LostError, ledger_of, loaded
from bench.results import Goal, Section, Table, shown
from bench.servers import Running, bare_flask, prepare, sqlite_in, web
from bench.setting import Bench, say, syncs_per_second
from bench.single import answered, plan
from service.cli.supervise import web_command
from tests.e2e.serving import ROOT, is_ready, wait_until

_SYNC_US = 4_000
_CONNECTIONS = 64
_EACH = "bench.peers.commit_each:app"
_PEER = (
    "The peer verifies nothing and keeps the body in one table without an index, commit by commit, each waiting its turn. "
    "The real disk gives {syncs} syncs a second here."
)
_SOURCE = "/webhooks/test-mailgun"


class NoCompilerError(Exception):
    """There is no C compiler here: install one (cc), or leave the slow disk out with --only."""


def measure(bench: Bench) -> Section:
    """Group commit and one commit a request in turn, on the slow disk and on the real one."""
    found: dict[str, list[Outcome]] = {}
    with bench.fresh_folder() as tools:
        shim = _compiled(tools)
        for _ in range(bench.repeats):
            for disk, extra in (("slow disk", {"LD_PRELOAD": str(shim), "SLOW_SYNC_US": str(_SYNC_US)}), ("real disk", {})):
                for name, run in (("one commit a request", _each), ("Hopp", _ours)):
                    with bench.fresh_folder() as folder:
                        outcome = run(bench, folder, extra)
                    found.setdefault(f"{name}, {disk}", []).append(outcome)
                    say(f"  {name + ', ' + disk:<34} {outcome.per_second:8,.0f} a second  p99 {outcome.p99_ms:7.1f} ms")
        syncs = syncs_per_second(tools)
    pairs = zip(found["Hopp, slow disk"], found["one commit a request, slow disk"], strict=True)
    goal = Goal(
        what="SQLite: accepted with 4 ms a sync / one commit a request", wanted=5, reached=[a.per_second / b.per_second for a, b in pairs]
    )
    rows = [
        (
            name,
            shown(median(item.per_second for item in runs)),
            shown(median(item.p50_ms for item in runs)),
            shown(median(item.p99_ms for item in runs)),
        )
        for name, runs in found.items()
    ]
    return Section(
        key="slow-disk",
        title="A slow disk: 4 ms more for each sync, SQLite, 64 connections",
        goals=(goal,),
        body=(
            _PEER.format(syncs=shown(syncs)),
            Table(head=("run", "accepted a second", "p50 ms", "p99 ms"), rows=rows),
        ),
    )


def _compiled(folder: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompilerError(NoCompilerError.__doc__)
    shim = folder / "slow_sync.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", shim, ROOT / "bench/slow_sync.c", "-ldl"], check=True)
    return shim


def _load(bench: Bench, running: Running) -> Outcome:
    with loaded(replace(plan(bench, running, 1), connections=_CONNECTIONS)) as run:
        return answered(run())


def _ours(bench: Bench, folder: Path, extra: Mapping[str, str]) -> Outcome:
    stores = sqlite_in(folder)
    environment = {**prepare(folder, stores), **extra}
    with web(folder, environment, web_command(), _SOURCE) as running:
        wait_until(lambda: is_ready(running.url), "Hopp is ready")
        outcome = _load(bench, running)
    with ledger_of(stores.inbox) as ledger:
        _check(ledger.count("inbox"), outcome)
    return outcome


def _each(bench: Bench, folder: Path, extra: Mapping[str, str]) -> Outcome:
    kept = folder / "each.sqlite"
    with bare_flask(folder, sqlite_in(folder), view=_EACH, extra={**extra, "PEER_FILE": str(kept)}) as running:
        outcome = _load(bench, running)
    with ledger_of(f"sqlite:///{kept}") as ledger:
        _check(ledger.count("kept"), outcome)
    return outcome


def _check(rows: int, outcome: Outcome) -> None:
    if rows != outcome.accepted:
        raise LostError(f"{outcome.accepted} posts were accepted, {rows} are kept")
