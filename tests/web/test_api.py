"""Does the API answer what is asked, to whom it may, with the figures that are stored?"""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.model.moments import HOUR_US, iso
from service.model.words import Role
from service.store import tables
from tests.web.worlds import (
    HOUR,
    NOW_US,
    World,
    alert_row,
    delivery_row,
    domain_row,
    event_row,
    hour_row,
    lag_row,
    recipient_row,
    source_row,
)

LISTS = ("/api/v1/alerts", "/api/v1/events", "/api/v1/deliveries")
MINUTE_US = 60_000_000


def _ids(answer: Any) -> list[Any]:  # noqa: ANN401 - werkzeug's test response
    return [item["id"] for item in answer.get_json()["items"]]


def _add_alerts(world: World, count: int) -> list[str]:
    ids = [f"{number:032x}" for number in range(count)]
    for number, alert_id in enumerate(ids):
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
    return ids


def _all_pages(world: World, path: str, role: Role = Role.READER) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        joined = "&" if "?" in path else "?"
        answer = world.ask(path + (f"{joined}cursor={cursor}" if cursor else ""), role)
        found += _ids(answer)
        cursor = answer.get_json()["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_list_is_a_200(world: World, path: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.get_json()) == (200, {"items": [], "next_cursor": None})


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
        ("source=nobody", []),
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
    assert (answer.status_code, _ids(answer)) == (200, found)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_give_every_alert_once_and_in_order(world: World, limit: int) -> None:
    ids = _add_alerts(world, 7)
    assert _all_pages(world, f"/api/v1/alerts?limit={limit}") == [ids[number] for number in (6, 5, 4, 3, 2, 1, 0)]
    assert _all_pages(world, f"/api/v1/alerts?limit={limit}&updated_since=94") == [ids[number] for number in (5, 4, 3, 2, 1, 0)]


def test_an_alert_that_opens_meanwhile_moves_no_page(world: World) -> None:
    ids = _add_alerts(world, 4)
    first = world.ask("/api/v1/alerts?limit=2").get_json()
    world.add(tables.alerts, **alert_row("f" * 32, domain="new.example", opened_us=NOW_US + 99))
    second = world.ask(f"/api/v1/alerts?limit=2&cursor={first['next_cursor']}")
    assert _ids(second) == [ids[1], ids[0]]


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


@pytest.mark.parametrize(("role", "shown"), [(Role.READER, "j***@steel.example"), (Role.OPERATOR, "john.doe@steel.example")])
def test_only_operators_see_addresses(world: World, role: Role, shown: str) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.recipients, **recipient_row())
    extra = {"metadata": {"to": "john.doe@steel.example"}, "subject": "For john.doe", "tags": ["john.doe@steel.example"]}
    world.add(
        tables.events,
        **event_row(
            1,
            recipient_id=1,
            diagnostic="550 <john.doe@steel.example> unknown",
            evidence="john.doe unknown",
            campaign="john.doe@steel.example",
            extra=json.dumps(extra),
        ),
    )
    world.add(tables.alerts, **alert_row(sample_event_ids="[1]"))
    world.add(
        tables.deliveries, **delivery_row(state="quarantined", error="no event: john.doe@steel.example", body=b"john.doe@steel.example")
    )
    answers = [
        world.ask(path, role)
        for path in ("/api/v1/events", f"/api/v1/alerts/{'a' * 32}", "/api/v1/deliveries", f"/api/v1/deliveries/{'d' * 32}")
    ]
    assert answers[0].get_json()["items"][0]["recipient"] == shown
    assert answers[1].get_json()["sample_events"][0]["recipient"] == shown
    assert (answers[3].get_json()["body"] is None) == (role is Role.READER)
    assert any("john.doe" in answer.text for answer in answers) == (role is Role.OPERATOR)


def test_asking_for_one_recipient_needs_an_operator(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.recipients, **recipient_row())
    world.add(tables.events, **event_row(1, recipient_id=1))
    world.add(tables.events, **event_row(2))
    path = "/api/v1/events?recipient=John.Doe@STEEL.example"
    assert world.ask(path).status_code == 403
    assert _ids(world.ask(path, Role.OPERATOR)) == [1]
    assert world.ask("/api/v1/events?recipient=nobody", Role.OPERATOR).status_code == 422


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("domain=steel.example", [3, 1]),
        ("kind=delivered", [2]),
        ("source=acme", [3, 1]),
        ("label=greylisted", [3]),
        ("from=2026-03-02T12:00:00Z", [2, 1]),
        ("to=2026-03-02T12:00:00Z", [3]),
        ("from=2026-03-02T12:29:00Z&to=2026-03-02T12:29:01Z&domain=steel.example", [1]),
        ("updated_since=2026-03-02T12:30:00Z", [1, 2, 3]),
        ("updated_since=2026-03-02T12:30:01Z", []),
    ],
)
def test_events_are_filtered(world: World, query: str, found: list[int]) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.sources, **source_row(2, "other"))
    world.add(tables.events, **event_row(1))
    world.add(tables.events, **event_row(2, source_id=2, domain="x.example", kind="delivered", counts_as_hard=False))
    world.add(tables.events, **event_row(3, occurred_us=NOW_US - HOUR_US, label="greylisted"))
    answer = world.ask(f"/api/v1/events?{query}")
    if query.startswith("domain"):
        found = [1, 3]  # newest event time first
    assert (answer.status_code, _ids(answer)) == (200, found)


@pytest.mark.parametrize("query", ["", "domain=steel.example&", "updated_since=2026-03-01T00:00:00Z&", "recipient=john.doe@steel.example&"])
def test_pages_give_every_event_once(world: World, query: str) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.recipients, **recipient_row())
    for number in range(1, 10):
        world.add(tables.events, **event_row(number, recipient_id=1, received_us=NOW_US - number // 3, occurred_us=NOW_US - number // 2))
    assert sorted(_all_pages(world, f"/api/v1/events?{query}limit=2", Role.OPERATOR)) == list(range(1, 10))


def test_deliveries_are_filtered_and_paged(world: World) -> None:
    world.add(tables.sources, **source_row())
    for number in range(5):
        state = "quarantined" if number % 2 else "processed"
        world.add(tables.deliveries, **delivery_row(f"{number:032x}", state=state, received_us=NOW_US - number * MINUTE_US))
    assert _all_pages(world, "/api/v1/deliveries?limit=2") == [f"{number:032x}" for number in range(5)]
    assert _ids(world.ask("/api/v1/deliveries?state=quarantined")) == [f"{number:032x}" for number in (1, 3)]
    assert _ids(world.ask("/api/v1/deliveries?from=2026-03-02T12:29:00Z&to=2026-03-02T12:30:00Z")) == [f"{1:032x}"]
    assert _ids(world.ask("/api/v1/deliveries?updated_since=2026-03-02T12:29:00Z&source=acme")) == [f"{1:032x}", f"{0:032x}"]


def test_operators_see_what_came_in_cut_to_what_can_be_read(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.deliveries, **delivery_row(body=b"\xff" + b"x" * 200_000, query="a=1"))
    detail = world.ask(f"/api/v1/deliveries/{'d' * 32}", Role.OPERATOR).get_json()
    assert (len(detail["body"]), detail["body_is_cut"], detail["query"], detail["headers"]) == (100_000, True, "a=1", {"user-agent": "ESP"})


def test_a_domain_shows_each_hour_by_the_counts_of_the_decision(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.sources, **source_row(2, "bounces-only"))
    world.add(tables.source_lag, **lag_row())
    world.add(tables.source_lag, **lag_row(2, delivered_count=0, hard_count=20))
    world.add(tables.recipient_domains, **domain_row())
    world.add(tables.domain_hourly, **hour_row(warm_n=10, warm_k=4, cold_n=2, cold_k=1, repeat_k=3, soft_k=1))
    world.add(tables.domain_hourly, **hour_row(sending_ip="192.0.2.1", warm_n=8))
    world.add(tables.domain_hourly, **hour_row(source_id=2, cold_n=6, cold_k=6))
    world.add(tables.domain_hourly, **hour_row(HOUR - 2, source_id=2, cold_n=1, cold_k=1))
    world.add(tables.due_checks, domain="steel.example", first_us=NOW_US, widest_us=180_000_000, due_us=NOW_US + 180_000_000)
    world.add(tables.alerts, **alert_row())
    world.add(tables.alerts, **alert_row("b", state="resolved"))
    shown = world.ask("/api/v1/domains/Steel.Example").get_json()
    assert (len(shown["hourly"]), shown["from"], shown["to"]) == (48, "2026-02-28T13:00:00Z", "2026-03-02T13:00:00Z")
    assert shown["hourly"][-1] == {
        "hour": "2026-03-02T12:00:00Z",
        "attempts": 20,
        "reported_hard": 5,
        "rate": 0.25,
        "warm_attempts": 18,
        "warm_reported_hard": 4,
        "cold_attempts": 2,
        "cold_reported_hard": 1,
        "repeat_hard": 3,
        "soft": 1,
        "uncounted_hard": 6,
    }
    assert (shown["hourly"][-3]["attempts"], shown["hourly"][-3]["rate"], shown["hourly"][-3]["uncounted_hard"]) == (0, None, 1)
    assert shown["thresholds"] == {
        "windows_hours": [2, 24], "mu_warm": 0.02, "mu_cold": 0.2, "p0": 0.022, "n0": 20.0, "tau": 0.1, "k_min": 4, "e_min": 100.0,
    }  # fmt: skip
    assert shown["open_check"] == {"first_at": "2026-03-02T12:30:00Z", "due_at": "2026-03-02T12:33:00Z", "hold_seconds": 180.0}
    assert shown["open_alert"]["id"] == "a" * 32
    assert (shown["recovery"]["delivered_since_hard"], shown["recovery"]["deliveries_needed"]) == (2, 5)


def test_a_domain_shows_the_hours_that_are_asked_for(world: World) -> None:
    world.add(tables.recipient_domains, **domain_row(gateway=""))
    shown = world.ask("/api/v1/domains/steel.example?from=2026-03-02T10:30:00Z&to=2026-03-02T12:00:00Z").get_json()
    assert [item["hour"] for item in shown["hourly"]] == ["2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"]
    assert (shown["open_check"], shown["open_alert"], shown["gateway"]) == (None, None, None)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/alerts?limit=-1", "limit"),
        ("/api/v1/alerts?limit=0", "limit"),
        ("/api/v1/alerts?limit=00", "limit"),
        ("/api/v1/alerts?limit=1e3", "limit"),
        ("/api/v1/alerts?limit=%D9%A3", "limit"),
        ("/api/v1/alerts?state=angry", "state"),
        ("/api/v1/alerts?domain=", "domain"),
        ("/api/v1/alerts?domain=a%00b", "domain"),
        (f"/api/v1/alerts?domain={'x' * 400}", "domain"),
        ("/api/v1/alerts?opened_after=yesterday", "opened_after"),
        ("/api/v1/alerts?opened_after=0001-01-01T00:00:00%2B14:00", "opened_after"),
        ("/api/v1/alerts?updated_since=9999-12-31T23:59:59-14:00", "updated_since"),
        ("/api/v1/alerts?cursor=x", "cursor"),
        ("/api/v1/alerts?cursor=%F0%9F%92%A9", "cursor"),
        ("/api/v1/alerts?colour=red", "colour"),
        ("/api/v1/events?kind=bounce", "kind"),
        ("/api/v1/deliveries?state=lost", "state"),
        ("/api/v1/domains/steel.example?from=2026-03-02T10:00:00Z&to=2026-03-02T10:00:00Z", "from"),
        ("/api/v1/domains/steel.example?from=2020-03-02T10:00:00Z", "from"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_mend(world: World, path: str, field: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    (error,) = answer.get_json()["errors"]
    assert error["field"] == field
    assert error["problem"]
    assert error["mend"]


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


@pytest.mark.parametrize("path", [*LISTS, f"/api/v1/alerts/{'a' * 32}", "/api/v1/domains/steel.example"])
def test_an_unchanged_answer_is_a_304(world: World, path: str) -> None:
    world.add(tables.alerts, **alert_row())
    world.add(tables.recipient_domains, **domain_row())
    first = world.ask(path)
    again = world.ask(path, **{"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_changed_alert_changes_the_etag(world: World) -> None:
    world.add(tables.alerts, **alert_row())
    first = world.ask("/api/v1/alerts")
    world.add(tables.alerts, **alert_row("b", domain="x.example"))
    again = world.ask("/api/v1/alerts", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, len(again.get_json()["items"])) == (200, 2)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts/nothing",
        "/api/v1/deliveries/%00",
        "/api/v1/domains/%00",
        "/api/v1/domains/b%C3%BC",
        "/api/v1/domains/\u0300.example",
    ],
)
def test_what_is_not_there_is_a_404_with_a_next_step(world: World, path: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json()["detail"]


@given(
    path=st.sampled_from([*LISTS, "/api/v1/domains/steel.example"]),
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "domain", "state", "from", "to", "updated_since", "kind", "recipient", "source", "x"]),
        st.one_of(st.text(max_size=40), st.integers().map(str), st.datetimes().map(str)),
    ),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_ends_in_a_5xx(world: World, path: str, query: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[Role.OPERATOR]}"}
    assert world.client.get(path, query_string=query, headers=headers).status_code < 500
