"""Write a world: `python -m bench.world --seed N --out FILE.jsonl --truth TRUTH.json`."""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.world.simulate import World
from bench.world.truth import truth_of


def main() -> None:
    """Generate one world with a progress bar."""
    asked = _arguments()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar, asked.out.open("w", encoding="utf-8") as out:
        task = bar.add_task("days", total=asked.days)
        mails_a_day: list[int] = []

        def day_done(mails: int) -> None:
            mails_a_day.append(mails)
            bar.advance(task)

        world = World(asked.seed, asked.domains, is_calm=asked.calm)
        lines = 0
        for line in world.run(asked.days, progress=day_done):
            out.write(line + "\n")
            lines += 1
    truth = truth_of(world, seed=asked.seed, domains=asked.domains, days=asked.days)
    asked.truth.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    console.print(f"{lines:,} webhooks about {sum(mails_a_day):,} mails; {len(world.troubles.all)} incidents")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.world", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--domains", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=56)
    parser.add_argument("--out", type=Path, required=True, help="import lines in the order of receipt")
    parser.add_argument("--truth", type=Path, required=True, help="what really happened")
    parser.add_argument("--calm", action="store_true", help="the same people and lists, but nothing goes wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
