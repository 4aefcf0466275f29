"""How long is it from the start of the web to the first accepted post?"""

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median

from bench.cpu import tree_seconds
from bench.results import Goal, Section, Table, shown
from bench.servers import Stores, prepare, sqlite_in
from bench.setting import Bench, postgres, say
from bench.traffic import posts
from service.cli.supervise import web_command
from tests.e2e.serving import free_port, stop

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.01
_SOURCE = "/webhooks/test-mailgun"


def measure(bench: Bench) -> Section:
    """The web alone, on both databases, whose tables are there already."""
    found: dict[str, list[tuple[float, float]]] = {"PostgreSQL": [], "SQLite": []}
    with postgres() as (server, _), server.databases.fresh() as url:
        for _ in range(bench.repeats):
            for name, stores_in in _kinds(url).items():
                with bench.fresh_folder() as folder:
                    stores = stores_in(folder)
                    found[name].append(_first_accepted(folder, prepare(folder, stores), web_command()))
                say(f"  {name:<12} first post accepted after {found[name][-1][0]:.2f} s, {found[name][-1][1]:.2f} s of CPU")
    goals = [
        Goal(
            what=f"{name}: first accepted post after",
            wanted=2,
            reached=[wall for wall, _ in runs],
            sense="at most",
            unit="s",
            bound="The CPU goes into importing, in gunicorn's master and in each web process.",
        )
        for name, runs in found.items()
    ]
    rows = [(name, shown(median(wall for wall, _ in runs)), shown(median(cpu for _, cpu in runs))) for name, runs in found.items()]
    return Section(
        key="start",
        title="Start: from the command to the first accepted post",
        goals=goals,
        body=(Table(head=("database", "seconds", "CPU of all web processes, seconds"), rows=rows),),
    )


def _kinds(url: str) -> dict[str, Callable[[Path], Stores]]:
    return {"PostgreSQL": lambda _: Stores(database=url, inbox=url), "SQLite": sqlite_in}


def _first_accepted(folder: Path, environment: Mapping[str, str], command: Sequence[str]) -> tuple[float, float]:
    port = free_port()
    (post,) = islice(posts("mailgun", f"http://127.0.0.1:{port}{_SOURCE}", seed=time.time_ns(), count=1), 1)
    with (folder / "web.log").open("ab") as log:
        began = time.perf_counter()
        bound = {**environment, "HOPP_BIND": f"127.0.0.1:{port}"}
        process = subprocess.Popen(command, cwd=folder, env=bound, stdout=log, stderr=log)
    try:
        while time.perf_counter() - began < _PATIENCE_SECONDS:
            if _is_accepted(port, post):
                return time.perf_counter() - began, tree_seconds(process.pid)
            time.sleep(_PAUSE_SECONDS)
    finally:
        stop(process)
    raise RuntimeError((folder / "web.log").read_text(encoding="utf-8"))


def _is_accepted(port: int, post: bytes) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(post)
        return connection.recv(12).startswith(b"HTTP/1.1 2")
    return False
