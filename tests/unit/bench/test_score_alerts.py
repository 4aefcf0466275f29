"""Does the scorer count what was found, what was false, and what is no page?"""

import json
from typing import Any

from bench.score_alerts import Score, Truth, report, score
from bench.world.clock import DAY, HOUR, MINUTE, stamp

BEGIN = 30 * DAY


def case(refused: int = 6, *, known: int | None = None, begin: float = BEGIN) -> dict[str, Any]:
    return {
        "refused": refused,
        "refused_with_denominator": refused if known is None else known,
        "first_refused_at": stamp(begin),
        "first_refused_received_at": stamp(begin + 2),
        "fifth_refused_at": stamp(begin + MINUTE),
        "last_refused_at": stamp(begin + HOUR),
    }


def truth(kind: str = "block", old_lists: dict[str, Any] | None = None, **domains: dict[str, Any]) -> Truth:
    return Truth(
        {
            "judged_from": stamp(28 * DAY),
            "end": stamp(56 * DAY),
            "domains": 10_000,
            "incidents": [{"kind": kind, "domains": domains}],
            "old_lists": [{"kind": "old_list", "domains": old_lists or {}}],
        }
    )


def line(domain: str | None, at: float, state: str = "firing", **more: object) -> str:
    known = {"at": stamp(at), "domain": domain, "state": state, "severity": "warning", "rate": 0.5, "incident": None}
    return json.dumps(known | more)


def scored(known: Truth, *lines: str) -> Score:
    result = Score()
    score(known, lines, result)
    return result


def test_page_within_a_case_finds_it_and_is_timed_from_the_fifth_refusal() -> None:
    tally = scored(truth(d1=case()), line("d1", BEGIN + 4 * MINUTE)).found["single-domain blocks"]
    assert (tally.judged, tally.found, tally.minutes) == (1, 1, [3.0])


def test_page_two_days_after_the_last_refusal_is_false() -> None:
    result = scored(truth(d1=case()), line("d1", BEGIN + 2 * DAY))
    assert (result.found["single-domain blocks"].found, result.true_pages, result.false_noise) == (0, 0, 1)


def test_case_with_four_refusals_is_not_judged_but_makes_its_page_real() -> None:
    result = scored(truth(d1=case(4)), line("d1", BEGIN + MINUTE))
    assert (result.found, result.true_pages) == ({}, 1)


def test_page_where_an_old_list_bounced_is_counted_apart() -> None:
    result = scored(truth(old_lists={"d2": case()}), line("d2", BEGIN + HOUR))
    assert (result.false_noise, result.false_old_lists) == (0, 1)


def test_notice_is_no_page() -> None:
    result = scored(truth(d1=case()), line("d1", BEGIN + MINUTE, severity="notice"))
    assert (result.found["single-domain blocks"].found, result.true_pages) == (0, 0)


def test_page_before_the_warm_up_is_over_is_not_judged() -> None:
    assert scored(truth(), line("d9", 5 * DAY)).false_noise == 0


def test_reopening_within_three_days_is_no_new_page() -> None:
    opened, closed, again = line("d9", BEGIN), line("d9", BEGIN + HOUR, "resolved"), line("d9", BEGIN + DAY)
    assert scored(truth(), opened, closed, again).false_noise == 1


def test_alert_that_was_open_already_finds_the_case() -> None:
    assert scored(truth(d1=case()), line("d1", BEGIN - DAY)).found["single-domain blocks"].found == 1


def test_many_domains_of_one_incident_are_one_page_after_roll_up() -> None:
    lines = [line(f"d{number}", BEGIN + MINUTE, incident="i1") for number in range(5)]
    assert scored(truth("content", **{f"d{number}": case() for number in range(5)}), *lines).incidents_paged == 1


def test_case_seen_only_by_sources_without_deliveries_is_judged_apart() -> None:
    result = scored(truth(d1=case(12, known=0)), line("d1", BEGIN + MINUTE, rate=None))
    assert list(result.found) == ["without denominator, 10 or more refused"]
    assert (result.true_pages, result.true_without_rate) == (0, 1)


def test_transition_without_a_domain_is_counted_and_left_alone() -> None:
    assert scored(truth(), line(None, BEGIN)).lines_without_domain == 1


def test_report_names_every_figure() -> None:
    text = report(scored(truth(d1=case()), line("d1", BEGIN + MINUTE), line("d7", BEGIN)))
    assert "single-domain blocks: 100.0 % of 1 found" in text
    assert "false pages a day and 10,000 domains: 0.04 (noise 0.04, old lists 0.00)" in text
    assert "precision: 50.0 % of 2 domain pages" in text
