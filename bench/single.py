"""How fast are single-event posts accepted durably, and how fast do they reach the roll-ups? Beside bare Flask and django-anymail."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Literal, TypedDict

from bench.client import Outcome, Plan
from bench.cpu import resident_mb, spent_by
from bench.loads import Ledger, LostError, ledger_of, loaded
from bench.results import Goal, Section, Table, shown
from bench.servers import Running, Stores, anymail, bare_flask, prepare, sqlite_in, web, worker
from bench.setting import Bench, checkpoint, postgres, say
from service.cli.supervise import web_command
from tests.e2e.serving import is_ready, wait_until
from tests.postgres import PostgresServer

_CONNECTIONS = 32
_PLAIN = "bare postgresql, gunicorn's own gthread"
_POSTS_A_SECOND = 7_000  # more are never needed: a run ends early where they are used up


class Figure(TypedDict):
    """One run."""

    rate: float  # a second
    cpu_us: float  # of all server processes, each post
    p50_ms: float
    p99_ms: float
    behind_seconds: float  # from the last answer until all can be seen
    client_share: float  # of one core


_KEYS: tuple[Literal["rate", "cpu_us", "p50_ms", "p99_ms"], ...] = ("rate", "cpu_us", "p50_ms", "p99_ms")
Runs = dict[str, list[Figure]]


def measure(bench: Bench) -> Section:
    """All runs, one kind after the other, as often as asked."""
    runs: Runs = {}
    web_mb: list[float] = []
    with postgres() as (server, postmaster):
        for number in range(bench.repeats):
            for kind in ("postgresql", "sqlite"):
                with _stores(bench, server, kind) as (folder, stores):
                    _keep(runs, f"bare {kind}", _bare(bench, folder, stores))
                    if kind == "postgresql":
                        _keep(runs, _PLAIN, _bare(bench, folder, stores, options=("--worker-class", "gthread")))
                with _stores(bench, server, kind) as (folder, stores):
                    web_mb.append(ours(bench, kind, folder, stores, postmaster if kind == "postgresql" else None, runs))
            with _stores(bench, server, "postgresql") as (folder, stores):
                _keep(runs, "anymail", _anymail(bench, folder, stores, postmaster))
            say(f"single posts: repeat {number + 1} of {bench.repeats} done")
    return _section(runs, web_mb)


@contextmanager
def _stores(bench: Bench, server: PostgresServer, kind: str) -> Iterator[tuple[Path, Stores]]:
    with bench.fresh_folder() as folder:
        if kind == "sqlite":
            yield folder, sqlite_in(folder)
            return
        with server.databases.fresh() as url:
            checkpoint(url)
            yield folder, Stores(database=url, inbox=url)


def _keep(runs: Runs, name: str, figure: Figure) -> None:
    runs.setdefault(name, []).append(figure)
    say(f"  {name:<28} {figure['rate']:8,.0f} a second  {figure['cpu_us']:7.0f} us  p99 {figure['p99_ms']:6.1f} ms")


def _figure(outcome: Outcome, events: int, seconds: float, cpu_seconds: float) -> Figure:
    return Figure(
        rate=events / seconds,
        cpu_us=cpu_seconds / max(events, 1) * 1e6,
        p50_ms=outcome.p50_ms,
        p99_ms=outcome.p99_ms,
        behind_seconds=max(0.0, seconds - outcome.seconds),
        client_share=outcome.client_cpu_seconds / outcome.seconds,
    )


def plan(bench: Bench, running: Running, seed: int, *, rate: float | None = None, repeats: bool = False) -> Plan:
    """A load of single posts."""
    count = int(bench.seconds * (rate or _POSTS_A_SECOND)) + _CONNECTIONS
    return Plan(
        target=running.target("mailgun"),
        esp="mailgun",
        seed=seed,
        count=500 if repeats else count,
        seconds=bench.seconds,
        connections=_CONNECTIONS,
        rate=rate,
        repeats=repeats,
    )


def answered(outcome: Outcome) -> Outcome:
    """The outcome; raises LostError where a post was not accepted."""
    if outcome.other or not outcome.accepted:
        raise LostError(f"not every post was accepted: {outcome.other}")
    return outcome


def _bare(bench: Bench, folder: Path, stores: Stores, options: Sequence[str] = ()) -> Figure:
    with (
        bare_flask(folder, stores, options=options) as running,
        loaded(plan(bench, running, 1, repeats=True)) as run,
        spent_by(running.pids) as spent,
    ):
        outcome = answered(run())
    return _figure(outcome, outcome.accepted, outcome.seconds, spent.total)


def ours(bench: Bench, kind: str, folder: Path, stores: Stores, postmaster: int | None, runs: Runs) -> float:
    """Accepting alone; then, with a worker, until it can be seen; then at half of that. Returns the web's memory a process."""
    environment = prepare(folder, stores)
    roots = {} if postmaster is None else {"postgres": postmaster}
    paths = {"mailgun": "/webhooks/test-mailgun"}
    with web(folder, environment, web_command(), paths["mailgun"]) as running, ledger_of(stores.database) as ledger:
        wait_until(lambda: is_ready(running.url), "Hopp is ready")
        with loaded(plan(bench, running, 1)) as run, spent_by({**running.pids, **roots}) as spent:
            outcome = answered(run())
        accepted = outcome.accepted
        _keep(runs, f"accepted {kind}", _figure(outcome, accepted, outcome.seconds, spent.total))
        with worker(folder, environment) as pid:
            ledger.wait_for(accepted, since=time.perf_counter())
            figure, more = _end_to_end(plan(bench, running, 2), ledger, accepted, {**running.pids, **roots, "worker": pid})
            accepted += more
            _keep(runs, f"end to end {kind}", figure)
            with loaded(plan(bench, running, 3, rate=figure["rate"] / 2)) as run, spent_by({**running.pids, **roots}) as spent:
                outcome = answered(run())
            accepted += outcome.accepted
            _keep(runs, f"half load {kind}", _figure(outcome, outcome.accepted, outcome.seconds, spent.total))
            ledger.wait_for(accepted, since=time.perf_counter())
        ledger.check(accepted)
        return max(resident_mb(running.pids["web"]))


def _end_to_end(load: Plan, ledger: Ledger, before: int, roots: dict[str, int]) -> tuple[Figure, int]:
    """From the first post until the last event can be seen."""
    with loaded(load) as run, spent_by(roots) as spent:
        began = time.perf_counter()
        outcome = answered(run())
        seconds = ledger.wait_for(before + outcome.accepted, since=began)
    return _figure(outcome, outcome.accepted, seconds, spent.total), outcome.accepted


def _anymail(bench: Bench, folder: Path, stores: Stores, postmaster: int) -> Figure:
    with anymail(folder, stores.database) as running, ledger_of(stores.database) as ledger:
        roots = {**running.pids, "postgres": postmaster}
        with loaded(plan(bench, running, 1)) as run, spent_by(roots) as spent:
            outcome = answered(run())
        if ledger.count("peer_event") != outcome.accepted:
            raise LostError(f"anymail answered {outcome.accepted} posts with 2xx and kept {ledger.count('peer_event')}")
    return _figure(outcome, outcome.accepted, outcome.seconds, spent.total)


def _ratios(runs: Runs, one: str, other: str, of: Callable[[Figure], float]) -> list[float]:
    return [of(left) / of(right) for left, right in zip(runs[one], runs[other], strict=True)]


def _rate(figure: Figure) -> float:
    return figure["rate"]


def _by_cpu(figure: Figure) -> float:
    return 1 / figure["cpu_us"]


_WORDS = (
    "*Accepted* is measured without a worker, *visible* with one: from the first post until the last event stands in the roll-ups. "
    "*Half load* is half of the visible rate, each post at its own moment."
)


def _section(runs: Runs, web_mb: list[float]) -> Section:
    goals = []
    for kind, name in (("postgresql", "PostgreSQL"), ("sqlite", "SQLite")):
        accepted = _ratios(runs, f"accepted {kind}", f"bare {kind}", _rate)
        seen = _ratios(runs, f"end to end {kind}", f"bare {kind}", _rate)
        late = [figure["p99_ms"] for figure in runs[f"half load {kind}"]]
        goals += [
            Goal(what=f"{name}: accepted durably / bare Flask", wanted=0.7, reached=accepted, bound=_bound(runs, "accepted", kind)),
            Goal(what=f"{name}: visible in roll-ups / bare Flask", wanted=0.6, reached=seen, bound=_bound(runs, "end to end", kind)),
            Goal(
                what=f"{name}: p99 at half of the highest load",
                wanted=50,
                reached=late,
                sense="at most",
                unit="ms",
                bound="Web, worker, database and client take turns on the cores.",
            ),
        ]
    peer = _ratios(runs, "accepted postgresql", "anymail", _rate)
    goals.append(Goal(what="PostgreSQL: accepted durably / anymail saving each event with the ORM", wanted=3, reached=peer))
    goals.append(Goal(what="web, memory of the largest process after the load", wanted=150, reached=web_mb, sense="at most", unit="MB"))
    by_cpu = [
        ("accepted PostgreSQL / bare Flask", "accepted postgresql", "bare postgresql"),
        ("visible PostgreSQL / bare Flask", "end to end postgresql", "bare postgresql"),
        ("accepted PostgreSQL / bare Flask under gunicorn's own gthread", "accepted postgresql", _PLAIN),
        ("accepted SQLite / bare Flask", "accepted sqlite", "bare sqlite"),
        ("visible SQLite / bare Flask", "end to end sqlite", "bare sqlite"),
        ("accepted PostgreSQL / anymail", "accepted postgresql", "anymail"),
        ("visible PostgreSQL / anymail", "end to end postgresql", "anymail"),
    ]
    rows = [
        (words, shown(median(_ratios(runs, one, other, _rate))), shown(median(_ratios(runs, one, other, _by_cpu))))
        for words, one, other in by_cpu
    ]
    return Section(
        key="single",
        title="Single events: signed Mailgun posts of 1.1 kB, 32 connections",
        goals=goals,
        body=(
            _WORDS,
            _figures(runs),
            "The same ratios by CPU of all server processes, which other work on the machine disturbs less:",
            Table(head=("ratio", "by rate", "by CPU"), rows=rows),
        ),
    )


def _bound(runs: Runs, name: str, kind: str) -> str:
    """How much of the CPU is bare Flask's."""
    bare, ours = (median(figure["cpu_us"] for figure in runs[f"{run} {kind}"]) for run in ("bare", name))
    ours_ms = median(figure["p50_ms"] for figure in runs[f"{name} {kind}"])
    what = "reading, verifying and keeping it" if name == "accepted" else "all else, worker and database included"
    return (
        f"A post takes {shown(ours)} µs of CPU, {shown(bare)} of them are bare Flask's and {shown(ours - bare)} {what}: a ratio of "
        f"{shown(bare / ours)}. Where that of the rates is smaller still, posts wait for syncs ({shown(ours_ms)} ms at the median)."
    )


def _figures(runs: Runs) -> Table:
    rows = []
    for name, figures in runs.items():
        middle = [median(figure[key] for figure in figures) for key in _KEYS]
        behind = shown(median(figure["behind_seconds"] for figure in figures)) if name.startswith("end to end") else "-"
        share = median(figure["client_share"] for figure in figures)
        rows.append((name, *(shown(item) for item in middle), behind, f"{share:.0%}"))
    head = ("run", "a second", "CPU µs each", "p50 ms", "p99 ms", "last is visible after, s", "client's share of a core")
    return Table(head=head, rows=rows)
