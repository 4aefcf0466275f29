"""Does the API tell of alerts what is stored, page by page?"""

import base64
import json

import pytest

from service.model.moments import HOUR_US, iso
from service.store import tables
from tests.web.rows import HOUR, NOW_US, alert_row, event_row, hour_row, recipient_row, source_row
from tests.web.worlds import World, all_pages, ids


def _add_alerts(world: World, count: int) -> list[str]:
    made = [f"{number:032x}" for number in range(count)]
    for number, alert_id in enumerate(made):
        world.add(
            tables.alerts,
            **alert_row(
                alert_id,
                domain=f"d{number}.example",
                opened_us=NOW_US + number // 2,  # in pairs of the same moment
                updated_us=NOW_US - number,
                updated_seq=100 - number,
            ),
        )
    return made


def test_an_alert_is_worded_as_promised(world: World) -> None:
    world.add(tables.alerts, **alert_row())
    (item,) = world.ask("/api/v1/alerts").get_json()["items"]
    assert item == {
        "id": "a" * 32,
        "state": "firing",
        "severity": "critical",
        "domain": "steel.example",
        "domain_class": "business_gateway",
        "gateway": "proofpoint",
        "cause": None,
        "incident": None,
        "attempts": 21,
        "reported_hard": 15,
        "believed_hard": None,
        "rate": 15 / 21,
        "baseline": 0.6 / 21,
        "threshold": 0.1,
        "rate_known": True,
        "window_hours": 2,
        "window_end": "2026-03-02T13:00:00Z",
        "opened_at": "2026-03-02T12:30:00Z",
        "last_true_at": "2026-03-02T12:30:00Z",
        "closed_at": None,
        "close_reason": None,
        "reopen_count": 0,
        "updated_at": "2026-03-02T12:30:00Z",
        "updated_seq": 1,
    }


def test_no_rate_is_printed_without_a_denominator(world: World) -> None:
    world.add(tables.alerts, **alert_row(rate_known=False, warm_n=0, warm_k=0, cold_n=12, cold_k=12))
    (item,) = world.ask("/api/v1/alerts").get_json()["items"]
    assert (item["rate"], item["baseline"], item["threshold"], item["reported_hard"]) == (None, None, None, 12)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=firing", ["a", "b"]),
        ("state=resolved", ["c"]),
        ("severity=warning", ["b"]),
        ("domain=STEEL.example.", ["a"]),
        ("domain=b%C3%BCro.example", ["b"]),
        ("domain_class=consumer", ["c"]),
        ("gateway=mimecast", ["c"]),
        ("source=acme", ["a"]),
        ("opened_after=2026-03-02T12:30:00Z", ["a"]),
        ("opened_before=2026-03-02T12:30:00Z", ["b", "c"]),
        ("updated_since=2026-03-02T12:30:00%2B00:00", ["c", "a"]),
        ("updated_since=2", ["c", "a"]),
        ("updated_since=99999999999999999999999999", []),
        ("state=firing&severity=critical&domain=steel.example", ["a"]),
        ("domain=' OR 1=1 --", []),
        ("limit=100000", ["a", "b", "c"]),
    ],
)
def test_alerts_are_filtered(world: World, query: str, found: list[str]) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.domain_hourly, **hour_row(HOUR - 1, warm_n=20, warm_k=15))
    world.add(tables.domain_hourly, **hour_row(HOUR, domain="xn--bro-hoa.example", warm_n=20))
    world.add(tables.alerts, **alert_row("a", updated_seq=4))
    world.add(
        tables.alerts,
        **alert_row("b", domain="xn--bro-hoa.example", severity="warning", opened_us=NOW_US - 1, updated_seq=2, updated_us=NOW_US - 1),
    )
    world.add(
        tables.alerts,
        **alert_row("c", state="resolved", domain="x.example", domain_class="consumer", gateway="mimecast", opened_us=1, updated_seq=3),
    )
    answer = world.ask(f"/api/v1/alerts?{query}")
    assert (answer.status_code, ids(answer)) == (200, found)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_give_every_alert_once_and_in_order(world: World, limit: int) -> None:
    made = _add_alerts(world, 7)
    assert all_pages(world, f"/api/v1/alerts?limit={limit}") == [made[number] for number in (6, 5, 4, 3, 2, 1, 0)]
    assert all_pages(world, f"/api/v1/alerts?limit={limit}&updated_since=94") == [made[number] for number in (5, 4, 3, 2, 1, 0)]


def test_an_alert_that_opens_meanwhile_moves_no_page(world: World) -> None:
    made = _add_alerts(world, 4)
    first = world.ask("/api/v1/alerts?limit=2").get_json()
    world.add(tables.alerts, **alert_row("f" * 32, domain="new.example", opened_us=NOW_US + 99))
    second = world.ask(f"/api/v1/alerts?limit=2&cursor={first['next_cursor']}")
    assert ids(second) == [made[1], made[0]]


def test_the_detail_shows_the_evidence_it_fired_on(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.recipients, **recipient_row())
    said = {"diagnostic": "550 5.1.1 <john.doe@steel.example>: user john.doe unknown, id 4Xz81aQ7", "label": "invalid_recipient"}
    world.add(tables.events, **event_row(1, recipient_id=1, **said))
    world.add(tables.events, **event_row(2, occurred_us=NOW_US - 5 * HOUR_US, diagnostic="550 too old"))
    world.add(tables.events, **event_row(3, cell=5, diagnostic="550 a repeat"))
    world.add(tables.alerts, **alert_row(sample_event_ids="[1]"))
    world.add(
        tables.alert_transitions,
        id=1, alert_id="a" * 32, at_us=NOW_US, state="firing", reason="opened", severity="warning", attempts=9, reported_hard=6, ln_e=14.5,
    )  # fmt: skip
    detail = world.ask(f"/api/v1/alerts/{'a' * 32}").get_json()
    evidence = detail["evidence"]
    assert (evidence["warm_attempts"], evidence["warm_reported_hard"], evidence["cold_attempts"], evidence["cold_reported_hard"]) == (
        20,
        15,
        1,
        0,
    )
    assert (evidence["window_start"], evidence["window_end"]) == ("2026-03-02T11:00:00Z", "2026-03-02T13:00:00Z")
    assert (evidence["hold_seconds"], evidence["expected"], evidence["shrunk_rate"]) == (180.0, 0.6, 0.38)
    assert evidence["e"] == pytest.approx(2.8675e18, rel=1e-3)
    assert detail["transitions"] == [
        {"at": iso(NOW_US), "state": "firing", "reason": "opened", "severity": "warning", "attempts": 9, "reported_hard": 6, "ln_e": 14.5}
    ]
    assert detail["diagnostics"] == [
        {"wording": "550 5.1.1 <address>: user <address> unknown, id <id>", "label": "invalid_recipient", "vendor": None, "count": 1}
    ]
    assert [step["step"] for step in detail["next_steps"]] == ["check_esp", "ask_recipient_it", "accept_turnover"]
    assert [sample["id"] for sample in detail["sample_events"]] == [1]


def test_an_e_value_beyond_all_numbers_is_null_and_its_logarithm_is_not(world: World) -> None:
    world.add(tables.alerts, **alert_row(ln_e=5_000.0))
    evidence = world.ask(f"/api/v1/alerts/{'a' * 32}").get_json()["evidence"]
    assert (evidence["e"], evidence["ln_e"], round(evidence["log10_e"])) == (None, 5_000.0, 2_171)


def _forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def test_a_cursor_of_another_question_or_forged_is_refused(world: World) -> None:
    _add_alerts(world, 3)
    cursor = world.ask("/api/v1/alerts?limit=1").get_json()["next_cursor"]
    mark = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    not_a_number = True
    forged = [
        *(_forged(mark, at, "a") for at in (2**70, not_a_number, "1", 1.5, None)),
        *(_forged(mark, 1, row_id) for row_id in (1, "x" * 99, "a\u0000", None)),
        *(_forged(*parts) for parts in ((), (mark, 1), ("x", 1, "a"), (mark, 1, "a", 1))),
        "bnVsbA",
        "W1tbW1tbW1tb" * 50,
    ]
    questions = [f"/api/v1/alerts?state=firing&cursor={cursor}", f"/api/v1/deliveries?state=processed&cursor={cursor}"]
    statuses = {world.ask(path).status_code for path in [*questions, *(f"/api/v1/alerts?cursor={text}" for text in forged)]}
    assert statuses == {422}
