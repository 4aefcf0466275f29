"""How fast do signed batches of 1,000 SendGrid events reach the roll-ups? Beside django-anymail and a raw COPY of the same rows."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TypedDict

import psycopg
from sqlalchemy import make_url

from bench.client import Plan
from bench.cpu import spent_by
from bench.loads import LostError, ledger_of, loaded
from bench.results import Goal, Section, Table, shown
from bench.servers import Running, Stores, anymail, hopp
from bench.setting import Bench, checkpoint, postgres, say
from bench.single import answered
from bench.traffic import BATCH_EVENTS

_CONNECTIONS = 4
_BATCHES_A_SECOND = 20  # of the seconds asked for: 100 batches by default
_COPY_ROWS = 10_000
_TABLES = ("events", "event_keys")  # what keeps an event, and keeps it once
_TOO_SLOW = 12  # the peer gets so many batches at most: each takes it a second or more


class Figure(TypedDict):
    """One run."""

    rate: float  # events a second
    cpu_us: float  # of all server processes, each event
    p50_ms: float  # until a batch was answered


Runs = dict[str, list[Figure]]


def measure(bench: Bench) -> Section:
    """Ours, COPY of what it kept, the peer; as often as asked."""
    runs: Runs = {}
    with postgres() as (server, postmaster):
        for number in range(bench.repeats):
            with bench.fresh_folder() as folder, server.databases.fresh() as url:
                _keep(runs, "Hopp, one worker", _ours(bench, folder, url, postmaster))
                _keep(runs, "raw COPY of the same rows", _copied(url, postmaster))
            with bench.fresh_folder() as folder, server.databases.fresh() as url:
                _keep(runs, "anymail, one transaction a batch", _anymail(bench, folder, url, postmaster))
            with bench.fresh_folder() as folder, server.databases.fresh() as url:
                _keep(runs, "Hopp, two workers", _ours(bench, folder, url, postmaster, workers=2))
            say(f"batches: repeat {number + 1} of {bench.repeats} done")
    return _section(runs)


def _keep(runs: Runs, name: str, figure: Figure) -> None:
    runs.setdefault(name, []).append(figure)
    say(f"  {name:<34} {figure['rate']:8,.0f} events a second  {figure['cpu_us']:6.1f} us")


def _plan(bench: Bench, running: Running, count: int) -> Plan:
    return Plan(target=running.target("sendgrid"), esp="sendgrid", seed=1, count=count, seconds=2 * bench.seconds, connections=_CONNECTIONS)


def _ours(bench: Bench, folder: Path, url: str, postmaster: int, *, workers: int = 1) -> Figure:
    checkpoint(url)
    with hopp(folder, Stores(database=url, inbox=url), workers=workers) as running, ledger_of(url) as ledger:
        roots = {**running.pids, "postgres": postmaster}
        with loaded(_plan(bench, running, int(bench.seconds * _BATCHES_A_SECOND))) as run, spent_by(roots) as spent:
            began = time.perf_counter()
            outcome = answered(run())
            events = outcome.accepted * BATCH_EVENTS
            seconds = ledger.wait_for(events, since=began)
        ledger.check(events)
    return Figure(rate=events / seconds, cpu_us=spent.total / events * 1e6, p50_ms=outcome.p50_ms)


def _anymail(bench: Bench, folder: Path, url: str, postmaster: int) -> Figure:
    checkpoint(url)
    with anymail(folder, url) as running, ledger_of(url) as ledger:
        with loaded(_plan(bench, running, _TOO_SLOW)) as run, spent_by({**running.pids, "postgres": postmaster}) as spent:
            outcome = answered(run())
        events = outcome.accepted * BATCH_EVENTS
        if ledger.count("peer_event") != events:
            raise LostError(f"anymail took {events} events and kept {ledger.count('peer_event')}")
    return Figure(rate=events / outcome.seconds, cpu_us=spent.total / events * 1e6, p50_ms=outcome.p50_ms)


def _copied(url: str, postmaster: int) -> Figure:
    """The rows that Hopp keeps of events, into tables with the same indexes, by one connection, 10,000 rows a transaction."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        tables = [name for name in _TABLES if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,)]
        lines = {name: _rows_of(connection, name) for name in tables}
        events = len(lines["events"])
        for name in tables:
            connection.execute(f"CREATE TABLE copy_of_{name} (LIKE {name} INCLUDING ALL)".encode())
        connection.execute("CHECKPOINT")
        with spent_by({"postgres": postmaster}) as spent:
            began, own = time.perf_counter(), time.process_time()
            for name in tables:
                for part in _parts(lines[name]):
                    with connection.cursor().copy(f"COPY copy_of_{name} FROM STDIN".encode()) as copy:
                        copy.write(part)
            seconds, own = time.perf_counter() - began, time.process_time() - own
        kept = connection.execute("SELECT count(*) FROM copy_of_events").fetchone()
        if kept != (events,):
            raise LostError(f"COPY wrote {kept} of {events} rows")
    return Figure(rate=events / seconds, cpu_us=(spent.total + own) / events * 1e6, p50_ms=0.0)


def _rows_of(connection: psycopg.Connection, table: str) -> list[bytes]:
    with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT".encode()) as rows:
        return [bytes(row) for row in rows]


def _parts(lines: list[bytes]) -> Iterator[bytes]:
    rest = iter(lines)
    while part := list(islice(rest, _COPY_ROWS)):
        yield b"".join(part)


def _section(runs: Runs) -> Section:
    one, copied, peer, ours = runs.values()
    neighbours = {"peer": list(zip(ours, peer, strict=True)), "copy": list(zip(ours, copied, strict=True))}
    by_rate = {name: [left["rate"] / right["rate"] for left, right in runs] for name, runs in neighbours.items()}
    by_cpu = {name: median(right["cpu_us"] / left["cpu_us"] for left, right in runs) for name, runs in neighbours.items()}
    each = median(figure["cpu_us"] for figure in ours)
    bound = (
        f"An event takes {shown(each)} µs of CPU in all, web, worker and database together: parsing, labelling, folding and a dozen index "
        f"entries. Two workers run, as the peer has two processes; one gave {shown(median(item['rate'] for item in one))} events a second."
    )
    goals = (
        Goal(
            what="visible in roll-ups, two workers / anymail, one transaction a batch",
            wanted=10,
            reached=by_rate["peer"],
            bound=bound,
        ),
        Goal(
            what="visible in roll-ups, two workers / raw COPY of the same rows into the same indexed table",
            wanted=0.3,
            reached=by_rate["copy"],
            bound=bound,
        ),
    )
    rows = [(name, *_middle(figures)) for name, figures in runs.items()]
    return Section(
        key="batch",
        title="Batches: signed SendGrid posts of 1,000 events, 4 connections, PostgreSQL",
        goals=goals,
        body=(
            "The ratios are those of two workers, for the machine has two cores and the peer two processes.",
            Table(head=("run", "events a second", "CPU µs an event", "a batch is answered after, p50 ms"), rows=rows),
            "COPY writes the rows of `events` and their unique keys with all indexes, and nothing else: no archive, people or roll-ups.",
            f"By CPU of all server processes: {shown(by_cpu['peer'])} of anymail, {shown(by_cpu['copy'])} of raw COPY.",
        ),
    )


def _middle(figures: list[Figure]) -> tuple[str, str, str]:
    rate, cpu = median(item["rate"] for item in figures), median(item["cpu_us"] for item in figures)
    answer = median(item["p50_ms"] for item in figures)
    return shown(rate), shown(cpu), shown(answer) if answer else "-"
