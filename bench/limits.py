"""What does the machine itself give? Syncs, commits and rows a second: the raw limits beside which our figures stand."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import make_url

from bench.results import Section, Table, shown
from bench.setting import POSTGRES_SETTINGS, Bench, postgres, say, syncs_per_second, versions

_ROW = b"x" * 300
_ROWS_AT_ONCE = 1_000


def measure(bench: Bench) -> Section:
    """Each limit as often as asked, a second each."""
    seconds = min(1.0, bench.seconds / 3)
    found: dict[str, list[float]] = {}
    with postgres() as (server, _), server.databases.fresh() as url:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        for _ in range(bench.repeats):
            with bench.fresh_folder() as folder:
                _keep(found, "1 kB appended and synced (fsync)", syncs_per_second(folder, seconds))
                _sqlite(found, folder / "limits.sqlite", seconds)
            _postgres(found, plain, seconds)
        with psycopg.connect(plain) as connection:
            version = ".".join(str(connection.info.server_version // 10_000 ** (1 - part) % 10_000) for part in range(2))
    settings = ", ".join(f"`{name} = {value}`" for name, value in POSTGRES_SETTINGS.items())
    rows = [(name, shown(median(figures))) for name, figures in found.items()]
    body = (
        versions(version),
        f"PostgreSQL keeps its defaults (`fsync = on`) but for {settings}.",
        Table(head=("raw limit", "a second"), rows=rows),
    )
    return Section(key="machine", title="The machine and its raw limits", body=body)


def _keep(found: dict[str, list[float]], name: str, figure: float) -> None:
    found.setdefault(name, []).append(figure)
    say(f"  {name:<55} {figure:10,.0f} a second")


def _repeated(work: Callable[[], None], seconds: float, each: int = 1) -> float:
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        work()
        done += each
    return done / (time.perf_counter() - began)


def _sqlite(found: dict[str, list[float]], path: Path, seconds: float) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL").close()
    connection.execute("PRAGMA synchronous=FULL").close()
    connection.execute("CREATE TABLE limits (body BLOB)").close()
    insert = "INSERT INTO limits VALUES (?)"

    def many() -> None:
        connection.execute("BEGIN").close()
        connection.executemany(insert, [(_ROW,)] * _ROWS_AT_ONCE).close()
        connection.execute("COMMIT").close()

    _keep(found, "SQLite: commits of one row", _repeated(lambda: connection.execute(insert, (_ROW,)).close(), seconds))
    _keep(found, "SQLite: rows, 1,000 a commit, no index", _repeated(many, seconds, _ROWS_AT_ONCE))
    connection.close()


def _postgres(found: dict[str, list[float]], url: str, seconds: float) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS limits")
        connection.execute("CREATE TABLE limits (body BYTEA)")

        def many() -> None:
            with connection.cursor().copy("COPY limits FROM STDIN") as copy:
                for _ in range(_ROWS_AT_ONCE):
                    copy.write_row((_ROW,))

        def one() -> None:
            connection.execute("INSERT INTO limits VALUES (%s)", (_ROW,))

        _keep(found, "PostgreSQL: commits of one row, one connection", _repeated(one, seconds))
        _keep(found, "PostgreSQL: rows by COPY, 1,000 a commit, no index", _repeated(many, seconds, _ROWS_AT_ONCE))
