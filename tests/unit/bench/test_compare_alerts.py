"""Does the comparison pair what belongs together?"""

import json

from bench.compare_alerts import compare, firings
from bench.world.clock import HOUR, MINUTE, stamp


def line(domain: str, at: float, *, attempts: int = 9, state: str = "firing") -> str:
    return json.dumps({"at": stamp(at), "domain": domain, "state": state, "attempts": attempts, "reported_hard": 5})


def compared(left: list[str], right: list[str]) -> list[str]:
    return list(compare(firings(left), firings(right)))


def test_same_runs_have_no_disagreement() -> None:
    run = [line("d1", 0), line("d1", HOUR, state="resolved"), line("d2", MINUTE)]
    assert compared(run, run) == ["2 in both (2 within a second, 2 on the same counts)", "0 only left, 0 only right"]


def test_firing_that_only_one_has_is_named() -> None:
    found = compared([line("d1", 0)], [line("d1", 2 * HOUR)])
    assert [part.split(":")[0] for part in found[:2]] == ["only left", "only right"]


def test_pair_with_other_counts_is_named() -> None:
    found = compared([line("d1", 0)], [line("d1", MINUTE, attempts=8)])
    assert found[0].startswith("counts:")
    assert found[-1] == "0 only left, 0 only right"
