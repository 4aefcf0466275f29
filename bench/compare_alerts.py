"""Where do two runs of the alert decision over the same stream disagree?

`python -m bench.compare_alerts REFERENCE.jsonl BACKTEST.jsonl` pairs the firings of each domain that are at most an hour
apart, and prints what only one of them has and which pairs fired on other counts.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

TOGETHER = timedelta(hours=1)
SAME_MOMENT = timedelta(seconds=1)
COUNTS = ("attempts", "reported_hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing transition."""

    domain: str
    at: datetime
    counts: tuple[object, ...]

    def __str__(self) -> str:
        pairs = " ".join(f"{name}={count}" for name, count in zip(COUNTS, self.counts, strict=True))
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.domain} {pairs}"


def firings(lines: Iterable[str]) -> list[Firing]:
    """The firing transitions of a run that are about one domain."""
    transitions = map(json.loads, lines)
    return [
        Firing(domain=line["domain"], at=datetime.fromisoformat(line["at"]), counts=tuple(line[name] for name in COUNTS))
        for line in transitions
        if line["state"] == "firing" and line["domain"] is not None
    ]


def compare(left: list[Firing], right: list[Firing]) -> Iterator[str]:
    """One line for each disagreement, then the sums."""
    rest: dict[str, list[Firing]] = {}
    for firing in right:
        rest.setdefault(firing.domain, []).append(firing)
    pairs: list[tuple[Firing, Firing]] = []
    for firing in left:
        near = [other for other in rest.get(firing.domain, ()) if abs(other.at - firing.at) <= TOGETHER]
        if not near:
            yield f"only left:  {firing}"
            continue
        partner = min(near, key=lambda other: abs(other.at - firing.at))
        rest[firing.domain].remove(partner)
        pairs.append((firing, partner))
    only_right = sorted((firing for firings in rest.values() for firing in firings), key=lambda firing: firing.at)
    yield from (f"only right: {firing}" for firing in only_right)
    yield from (f"counts:     {one} | {other}" for one, other in pairs if one.counts != other.counts)
    same_moment = sum(abs(one.at - other.at) <= SAME_MOMENT for one, other in pairs)
    same_counts = sum(one.counts == other.counts for one, other in pairs)
    yield f"{len(pairs)} in both ({same_moment} within a second, {same_counts} on the same counts)"
    yield f"{len(left) - len(pairs)} only left, {len(only_right)} only right"


def main() -> None:
    """Print the disagreements."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare_alerts", description=__doc__)
    parser.add_argument("left", type=Path)
    parser.add_argument("right", type=Path)
    asked = parser.parse_args()
    left, right = (firings(path.read_text(encoding="utf-8").splitlines()) for path in (asked.left, asked.right))
    for line in compare(left, right):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
