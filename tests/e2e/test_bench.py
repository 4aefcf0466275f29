"""Does the benchmark measure the real thing, and does it count what it measured?"""

from pathlib import Path

from bench.servers import sqlite_in
from bench.setting import Bench
from bench.single import Runs, ours


def test_tiny_run_reaches_the_roll_ups_and_is_counted(tmp_path: Path) -> None:
    runs: Runs = {}
    web_mb = ours(Bench(folder=tmp_path, repeats=1, seconds=0.3), "sqlite", tmp_path, sqlite_in(tmp_path), None, runs)
    assert set(runs) == {"accepted sqlite", "end to end sqlite", "half load sqlite"}
    assert all(figure["rate"] > 0 and figure["cpu_us"] > 0 for (figure,) in runs.values())
    assert web_mb > 0
