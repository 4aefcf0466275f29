"""`make bench` and `make bench-full`: what does Hopp reach on this machine, beside what the machine and others reach?

Starts everything itself, writes bench/RESULTS.md section by section, and says at the end what did not work. `--full` adds the long
parts; broken off, it goes on where it was.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from bench import backlog, batch, classify, hot, jetstream, limits, memory, process, profile, single, size, slow_disk, start
from bench.results import Section, rendered, write
from bench.setting import Bench, Progress, say, stamp
from tests.e2e.serving import ROOT

MAIN: dict[str, Callable[[Bench], Section]] = {
    "machine": limits.measure,
    "single": single.measure,
    "batch": batch.measure,
    "processing": process.measure,
    "start": start.measure,
    "classifier": classify.measure,
    "profile": profile.measure,
}
LONG: dict[str, Callable[[Bench], Section]] = {
    "hot-domain": hot.measure,
    "slow-disk": slow_disk.measure,
    "backlog": backlog.measure,
    "memory": memory.measure,
    "jetstream": jetstream.measure,
    "size": size.measure,
}
_VAR = ROOT / "var/bench"


def main() -> None:
    """Measure the parts that were asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # an exit ends what was started, a kill would not
    asked = _asked()
    chosen = asked.only or [*MAIN, *(LONG if asked.full else ())]
    results = asked.results or (_VAR / "quick.md" if asked.quick else ROOT / "bench/RESULTS.md")
    results.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(asked.state, f"quick={asked.quick} scale={asked.scale} repeats={asked.repeats}") if asked.full else None
    if asked.fresh and progress is not None:
        progress.forget(chosen)
    bench = Bench(
        folder=asked.folder,
        repeats=1 if asked.quick else asked.repeats,
        seconds=1.5 if asked.quick else 5.0,
        scale=0.02 * asked.scale if asked.quick else asked.scale,
        is_quick=asked.quick,
        progress=progress,
    )
    failed = [name for name in chosen if not _run(name, bench, results)]
    if failed:
        sys.exit(f"Not measured: {', '.join(failed)}. The errors stand above; the sections of before are kept in {results}.")
    if progress is not None:
        progress.forget(chosen)
    say(f"written: {results}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Hopp on this machine; writes bench/RESULTS.md.")
    parser.add_argument("--full", action="store_true", help="large tables, hot domain, slow disk, backlog, memory and JetStream, too")
    parser.add_argument("--only", nargs="+", choices=[*MAIN, *LONG], metavar="PART", help=f"of {', '.join([*MAIN, *LONG])}")
    parser.add_argument("--quick", action="store_true", help="tiny counts, to see that all parts work; writes var/bench/quick.md")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts: 0.2 stores 1 million events instead of 5")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where SQLite's files lie while it is measured")
    parser.add_argument("--results", type=Path, help="the file that is written")
    parser.add_argument("--state", type=Path, default=_VAR / "state.json", help="where --full keeps what is done")
    parser.add_argument("--fresh", action="store_true", help="forget what a run of --full that was broken off had done")
    return parser.parse_args()


def _run(name: str, bench: Bench, results: Path) -> bool:
    """Measure one part and write its section; an error costs no other part."""
    say(f"{name} ...")
    began = time.perf_counter()
    try:
        text = bench.once(name, lambda: _text(name, bench))
    except Exception:  # noqa: BLE001 - whatever it was is shown, and the other parts are measured
        traceback.print_exc()
        return False
    write(results, name, text)
    say(f"{name}: {time.perf_counter() - began:.0f} s")
    return True


def _text(name: str, bench: Bench) -> str:
    section = (MAIN | LONG)[name](bench)
    assert section.key == name
    return rendered(section, stamp(bench))


if __name__ == "__main__":
    main()
