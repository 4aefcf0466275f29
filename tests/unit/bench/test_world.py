"""Is the made-up world what it claims to be?"""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from bench.score_alerts import Score, Truth, score
from bench.world import mailing
from bench.world.kinds import Kind
from bench.world.reference import Reference
from bench.world.simulate import World
from bench.world.truth import truth_of

SEED, DOMAINS, DAYS = 3, 500, 42
KEYS = {
    "kind", "esp", "recipient", "occurred_at", "message_id", "esp_event_id", "esp_event_type", "reported_type", "esp_class",
    "esp_subclass", "smtp_code", "enhanced_status_code", "diagnostic", "smtp_stage", "remote_host", "remote_ip", "sending_ip",
    "campaign", "tags", "metadata", "subject", "suppressed_by_esp", "phase", "source", "received_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    made = World(SEED, DOMAINS)
    lines = [json.loads(line) for line in made.run(DAYS)]
    return lines, json.loads(json.dumps(truth_of(made, seed=SEED, domains=DOMAINS, days=DAYS)))


def test_same_seed_makes_the_same_world() -> None:
    assert list(World(7, 200).run(3)) == list(World(7, 200).run(3))


def test_lines_come_in_the_order_of_receipt_with_all_keys(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, _ = world
    received = [line["received_at"] for line in lines]
    assert received == sorted(received)
    assert all(line.keys() == KEYS for line in lines)


def test_nothing_is_received_before_it_happened(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, _ = world
    assert all(line["occurred_at"] <= line["received_at"] for line in lines)


def test_one_source_reports_no_deliveries(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, truth = world
    delivering = {line["source"] for line in lines if line["kind"] == "delivered"}
    assert delivering == {source["name"] for source in truth["sources"] if source["reports_delivered"]}
    assert len(delivering) == len(truth["sources"]) - 1


def test_every_refusal_of_the_truth_is_in_the_stream(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, truth = world
    bounced = {(line["recipient"].rpartition("@")[2], line["occurred_at"]) for line in lines if line["reported_type"] == "hard"}
    cases = [(domain, here) for incident in truth["incidents"] for domain, here in incident["domains"].items()]
    assert cases
    assert all((domain, here["first_refused_at"]) in bounced for domain, here in cases)


def test_about_one_webhook_in_a_hundred_comes_twice(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, _ = world
    copies = Counter(line["esp_event_id"] for line in lines)
    assert 0.005 < sum(seen > 1 for seen in copies.values()) / len(copies) < 0.02


def test_calm_world_bounces_little_and_has_no_incident() -> None:
    calm = World(SEED, DOMAINS, is_calm=True)
    kinds = Counter((line["kind"], line["reported_type"]) for line in map(json.loads, calm.run(20)) if line["source"] != "bulk-powermta")
    assert calm.troubles.all == []
    assert kinds["bounced", "hard"] / kinds["delivered", None] < 0.08


def test_old_list_bounces_and_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "OLD_IMPORTS_PER_DAY", 20)
    calm = World(SEED, 200, is_calm=True)
    for _ in calm.run(5):
        pass
    assert calm.old_lists
    assert all(old.kind == Kind.OLD_LIST and old.refusals for old in calm.old_lists.values())


def test_reference_finds_most_blocks_of_a_small_world(world: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    lines, truth = world
    result = Score()
    score(Truth(truth), (json.dumps(line) for line in Reference().run(map(json.dumps, lines))), result)
    judged = sum(tally.judged for name, tally in result.found.items() if "without" not in name)
    found = sum(tally.found for name, tally in result.found.items() if "without" not in name)
    assert datetime.fromisoformat(truth["judged_from"]) < datetime.fromisoformat(truth["end"])
    assert found / judged > 0.7
