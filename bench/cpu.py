"""How much CPU did a server and all its processes take? On a shared machine that is steadier than the clock."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from tests.postgres import PostgresServer


def tree_seconds(root: int) -> float:
    """User and system seconds of a process, its children, and those of its children that have ended."""
    try:
        process = psutil.Process(root)
        own = process.cpu_times()
        seconds = own.user + own.system + own.children_user + own.children_system
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                seconds += times.user + times.system
    except psutil.NoSuchProcess:
        return 0.0
    return seconds


def resident_mb(root: int) -> tuple[float, ...]:
    """Memory of a process and of its children, each, in megabytes."""
    process = psutil.Process(root)
    return tuple(item.memory_info().rss / 1e6 for item in (process, *process.children(recursive=True)))


def postmaster_of(server: PostgresServer) -> int:
    """Its process id, which PostgreSQL writes on the first line of a file."""
    return int((server.folder / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])


@dataclass(slots=True)
class Spent:
    """CPU seconds by the name of a part; filled when the block ends."""

    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@contextmanager
def spent_by(roots: Mapping[str, int]) -> Iterator[Spent]:
    """What these process trees take while the block runs."""
    spent, before = Spent(), {name: tree_seconds(root) for name, root in roots.items()}
    yield spent
    spent.seconds = {name: tree_seconds(root) - before[name] for name, root in roots.items()}
