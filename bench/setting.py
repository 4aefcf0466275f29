"""What does a benchmark run on: sizes, folder, PostgreSQL, and the machine that all figures depend on?"""

import json
import os
import platform
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sqlalchemy import text

from bench.cpu import postmaster_of
from service.store.database import Database
from tests.postgres import PostgresServer, own_server

Kept = TypeVar("Kept")

# Beside the defaults: a server that has a machine of this size gets as much. All that is compared uses the same one.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "max_connections": "200",
}


@dataclass(slots=True)
class Progress:
    """Steps that are done, in a file, so that a long run can be broken off and gone on with."""

    path: Path
    settings: str  # what the figures hang on: those of other settings are not taken over
    _done: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        found = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        self._done = found.get("done", {}) if found.get("settings") == self.settings else {}

    def once(self, key: str, work: Callable[[], Kept]) -> Kept:
        """The result of a step, which must be what JSON can hold; done only where it is not there."""
        if key in self._done:
            say(f"  {key}: done before")
        else:
            self._done[key] = work()
            self._write()
        kept: Kept = self._done[key]
        return kept

    def forget(self, parts: Collection[str]) -> None:
        """Measure these parts anew the next time: they are done, or somebody wants them fresh."""
        self._done = {key: kept for key, kept in self._done.items() if key.split(" ")[0] not in parts}
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"settings": self.settings, "done": self._done}), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How large everything is."""

    folder: Path
    repeats: int = 3
    seconds: float = 5.0  # of each load
    scale: float = 1.0  # of each count
    is_quick: bool = False
    progress: Progress | None = None

    def count(self, full: int, least: int = 500) -> int:
        """So many of something, in proportion."""
        return max(least, int(full * self.scale))

    def once(self, key: str, work: Callable[[], Kept]) -> Kept:
        """What this step found, in this run or in the one that was broken off."""
        return work() if self.progress is None else self.progress.once(key, work)

    @contextmanager
    def fresh_folder(self) -> Iterator[Path]:
        """An empty folder, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="hopp-bench-", dir=self.folder) as path:
            yield Path(path)


def say(words: str) -> None:
    """Progress, with the time of day."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {words}", flush=True)


@contextmanager
def postgres() -> Iterator[tuple[PostgresServer, int]]:
    """A durable server with the settings above, and its process id."""
    with own_server(durable=True) as server:
        database = Database(str(server.databases.admin))
        with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for name, value in POSTGRES_SETTINGS.items():
                connection.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
        database.close()
        server.stop()
        server.start()
        yield server, postmaster_of(server)


def checkpoint(url: str) -> None:
    """Write out what earlier runs left, so that nobody pays for another."""
    database = Database(url)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CHECKPOINT"))
    database.close()


def stamp(bench: Bench) -> str:
    """When and on what a section was measured."""
    load = ", ".join(f"{item:.1f}" for item in os.getloadavg())
    size = "" if not bench.is_quick else " **A quick run: the counts are too small for figures.**"
    return (
        f"*{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {bench.repeats} repeats; {machine()}; load average of the machine when it "
        f"was done: {load}.*{size}"
    )


def machine() -> str:
    """Processors, memory and system in a few words."""
    return f"{psutil.cpu_count()} x {_processor()}, {psutil.virtual_memory().total / 1e9:.0f} GB, {platform.system()} {platform.release()}"


def _processor() -> str:
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return names[0].strip() if names else platform.machine()


def versions(server_version: str) -> str:
    """What took part."""
    ours = ", ".join(f"{name} {version(name)}" for name in ("flask", "gunicorn", "sqlalchemy", "psycopg", "orjson", "zstandard"))
    return f"Python {platform.python_version()}, PostgreSQL {server_version}, SQLite {sqlite3.sqlite_version}, {ours}"


def syncs_per_second(folder: Path, seconds: float = 1.0) -> float:
    """How often a kilobyte can be appended and synced."""
    block, done = b"x" * 1_024, 0
    with (folder / "synced").open("wb", buffering=0) as file:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            file.write(block)
            os.fsync(file.fileno())
            done += 1
        return done / (time.perf_counter() - began)
