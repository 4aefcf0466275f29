"""Does the API tell of events and deliveries, and addresses only to whom it may?"""

import json

import pytest

from service.model.moments import HOUR_US
from service.model.words import DeliveryState, Role
from service.store import tables
from tests.web.rows import NOW_US, alert_row, delivery_row, event_row, recipient_row, source_row
from tests.web.worlds import World, all_pages, ids

MINUTE_US = 60_000_000


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
            message_id="bounce+john.doe=steel.example@mx.example.com",
            esp_event_id="sent-to-john.doe@steel.example",
            esp_class="john.doe@steel.example",
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
    assert ids(world.ask(path, Role.OPERATOR)) == [1]
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
    assert (answer.status_code, ids(answer)) == (200, found)


@pytest.mark.parametrize("query", ["", "domain=steel.example&", "updated_since=2026-03-01T00:00:00Z&", "recipient=john.doe@steel.example&"])
def test_pages_give_every_event_once(world: World, query: str) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.recipients, **recipient_row())
    for number in range(1, 10):
        world.add(tables.events, **event_row(number, recipient_id=1, received_us=NOW_US - number // 3, occurred_us=NOW_US - number // 2))
    assert sorted(all_pages(world, f"/api/v1/events?{query}limit=2", Role.OPERATOR)) == list(range(1, 10))


def test_deliveries_are_filtered_and_paged(world: World) -> None:
    world.add(tables.sources, **source_row())
    for number in range(5):
        state = "quarantined" if number % 2 else "processed"
        world.add(tables.deliveries, **delivery_row(f"{number:032x}", state=state, received_us=NOW_US - number * MINUTE_US))
    assert all_pages(world, "/api/v1/deliveries?limit=2") == [f"{number:032x}" for number in range(5)]
    assert ids(world.ask("/api/v1/deliveries?state=quarantined")) == [f"{number:032x}" for number in (1, 3)]
    assert ids(world.ask("/api/v1/deliveries?from=2026-03-02T12:29:00Z&to=2026-03-02T12:30:00Z")) == [f"{1:032x}"]
    assert ids(world.ask("/api/v1/deliveries?updated_since=2026-03-02T12:29:00Z&source=acme")) == [f"{1:032x}", f"{0:032x}"]


def test_operators_see_what_came_in_cut_to_what_can_be_read(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.deliveries, **delivery_row(body=b"\xff" + b"x" * 200_000, query="a=1"))
    detail = world.ask(f"/api/v1/deliveries/{'d' * 32}", Role.OPERATOR).get_json()
    assert (len(detail["body"]), detail["body_is_cut"], detail["query"], detail["headers"]) == (100_000, True, "a=1", {"user-agent": "ESP"})


@pytest.mark.parametrize("route", ["events", "deliveries", "alerts"])
def test_a_source_that_there_is_not_is_a_mistake_and_no_silence(world: World, route: str) -> None:
    answer = world.ask(f"/api/v1/{route}?source=nope")
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "source")
    assert world.ask(f"/api/v1/{route}?source=pm").status_code == 200


@pytest.mark.parametrize("route", ["events", "deliveries"])
def test_a_span_that_ends_before_it_begins_is_a_mistake(world: World, route: str) -> None:
    answer = world.ask(f"/api/v1/{route}?from=2026-03-02T12:00:00Z&to=2026-03-01T12:00:00Z")
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "from")
    assert world.ask(f"/api/v1/{route}?from=2026-03-02T12:00:00Z&to=2026-03-02T12:00:00Z").status_code == 200


@pytest.mark.parametrize(("written", "hinted"), [("2026-03-02T12:00:00+01:00", True), ("2026-03-02T12:00+0100", True), ("soon", False)])
def test_a_plus_that_was_not_encoded_is_named(world: World, written: str, hinted: bool) -> None:  # noqa: FBT001 - a table's column
    answer = world.ask(f"/api/v1/events?from={written}")
    assert (answer.status_code, "%2B" in answer.get_json()["errors"][0]["problem"]) == (422, hinted)


def test_deliveries_are_found_in_every_state_that_they_can_be_in(world: World) -> None:
    world.add(tables.sources, **source_row())
    for number, state in enumerate(DeliveryState):
        world.add(tables.deliveries, **delivery_row(id=f"{number:032x}", state=state.value))
    for number, state in enumerate(DeliveryState):
        shown = world.ask(f"/api/v1/deliveries?state={state.value}")
        assert [item["id"] for item in shown.get_json()["items"]] == [f"{number:032x}"]
