"""What becomes of archived deliveries when they are read once more: events that were missing come, nothing comes twice."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import text

from service.bootstrap import build
from service.model.errors import HoppError
from service.model.events import ConfirmSubscription, Delivery, Parsed
from service.model.moments import to_us
from service.pipeline.process import process
from service.pipeline.reading import Tools
from service.pipeline.replay import REPLAYABLE, Replayed, replay
from service.settings import load_settings
from service.store import schema
from service.store.archive import ArchiveFilter, count_archived, load_archived
from service.store.database import DatabaseUnavailableError
from service.store.packing import has_dictionary, pack
from tests.pipeline.worlds import forget

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW_US = to_us(NOW)
EVERYTHING = ArchiveFilter(states=REPLAYABLE)
BOUNCE = {
    "kind": "bounced",
    "recipient": "anna@steel.example",
    "occurred_at": "2026-03-02T07:59:00Z",
    "reported_type": "hard",
    "diagnostic": "550 5.1.1 User unknown",
}


@pytest.fixture
def tools(database_url: str) -> Iterator[Tools]:
    built = build(load_settings({"HOPP_DATABASE": database_url})).tools()
    schema.migrate(built.database)
    yield built
    built.database.close()


def _delivery(*events: dict[str, Any], source: str = "acme", minutes: int = 0) -> Delivery:
    received_at = NOW + timedelta(minutes=minutes)
    return Delivery(id=uuid4().hex, source=source, esp="generic", received_at=received_at, body=orjson.dumps(events), query="a=b")


def _failing(tools: Tools) -> Tools:
    """With an adapter that cannot read anything."""

    def fail(_delivery: Delivery) -> Parsed:
        raise ZeroDivisionError

    return replace(tools, adapters={**tools.adapters, "generic": replace(tools.adapters["generic"], parse=fail)})


def _replayed(tools: Tools, wanted: ArchiveFilter = EVERYTHING, *, is_dry_run: bool = False) -> list[Replayed]:
    return [item for part in load_archived(tools.database, wanted) for item in replay(part, tools, now_us=NOW_US, is_dry_run=is_dry_run)]


def _rows(tools: Tools, sql: str) -> list[tuple[Any, ...]]:
    with tools.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def _outcomes(tools: Tools) -> Counter[str]:
    return Counter(dict(_rows(tools, "SELECT outcome, CAST(sum(count) AS INTEGER) FROM source_hourly GROUP BY outcome")))


def _tables(tools: Tools) -> list[list[tuple[Any, ...]]]:
    return [
        _rows(tools, sql)
        for sql in (
            "SELECT event_key, delivery_id, cell, label, received_us FROM events ORDER BY event_key",
            "SELECT address, last_hard_us, hard_count FROM recipients ORDER BY address",
            "SELECT domain, hour, cold_n, cold_k, repeat_k FROM domain_hourly ORDER BY domain, hour",
            "SELECT hour, gateway, answered, undetermined FROM reply_hourly ORDER BY hour, gateway",
            "SELECT id, state, event_count, duplicate_count, problem_count, error FROM deliveries ORDER BY id",
        )
    ]


def test_bodies_are_replayed_whichever_release_packed_them(tools: Tools) -> None:
    stream = [_delivery(BOUNCE), _delivery(BOUNCE | {"recipient": "bert@steel.example"}, minutes=5)]
    process(stream, _failing(tools), now_us=NOW_US)
    with tools.database.write() as connection:
        older = {"body": pack(stream[0].body), "id": stream[0].id}
        connection.execute(text("UPDATE deliveries SET body = :body WHERE id = :id"), older)
    assert [has_dictionary(bytes(body)) for (body,) in _rows(tools, "SELECT body FROM deliveries ORDER BY received_us")] == [False, True]
    assert sum(item.events for item in _replayed(tools)) == len(stream)


def test_a_mended_adapter_releases_what_was_quarantined(tools: Tools) -> None:
    stream = [_delivery(BOUNCE), _delivery(BOUNCE, BOUNCE | {"recipient": "bert@steel.example"}, minutes=5)]
    process(stream, _failing(tools), now_us=NOW_US)
    before = _outcomes(tools)

    found = _replayed(tools)

    assert [(item.archived.outcome.state, item.now.state, item.events) for item in found] == [
        ("quarantined", "processed", 1),
        ("quarantined", "processed", 1),
    ]
    assert _outcomes(tools) - before == {"events": 2, "released": 2}
    assert before - _outcomes(tools) == {}


def test_a_replay_gives_the_same_tables_as_a_mended_adapter_from_the_start(tools: Tools) -> None:
    stream = [_delivery(BOUNCE, {"kind": "nonsense"}), _delivery(BOUNCE, BOUNCE | {"recipient": "bert@steel.example"}, minutes=5)]
    process(stream, tools, now_us=NOW_US)
    from_the_start = _tables(tools)
    forget(tools.database, "events", "deliveries", "recipients", "domain_hourly", "reply_hourly", "recipient_domains", "due_checks")

    process(stream, _failing(tools), now_us=NOW_US)
    _replayed(tools)

    assert _tables(tools) == from_the_start


def test_the_second_replay_changes_nothing(tools: Tools) -> None:
    process([_delivery(BOUNCE), _delivery(BOUNCE, minutes=1), _delivery({"kind": "nonsense"}, minutes=2)], tools, now_us=NOW_US)
    before, counted = _tables(tools), _outcomes(tools)

    found = _replayed(tools)

    assert [item.is_changed for item in found] == [False, False, False]
    assert (_tables(tools), _outcomes(tools)) == (before, counted)


def test_a_dry_run_tells_what_a_replay_would_do_and_does_nothing(tools: Tools) -> None:
    process([_delivery(BOUNCE)], _failing(tools), now_us=NOW_US)
    before, counted = _tables(tools), _outcomes(tools)

    (told,) = _replayed(tools, is_dry_run=True)

    assert (_tables(tools), _outcomes(tools)) == (before, counted)
    (done,) = _replayed(tools)
    assert (told.now, told.events) == (done.now, done.events)


def test_events_that_were_removed_come_back_from_the_archive(tools: Tools) -> None:
    process([_delivery(BOUNCE)], tools, now_us=NOW_US)
    forget(tools.database, "events")
    assert [item.events for item in _replayed(tools)] == [1]


def test_what_is_still_unreadable_stays_quarantined(tools: Tools) -> None:
    process([_delivery(BOUNCE)], _failing(tools), now_us=NOW_US)
    (item,) = _replayed(_failing(tools))
    assert (item.is_changed, item.now.state) == (False, "quarantined")


def test_what_was_not_authentic_is_never_replayed(tools: Tools) -> None:
    process([_delivery(BOUNCE)], tools, now_us=NOW_US)
    with tools.database.write() as connection:
        connection.execute(text("UPDATE deliveries SET state = 'not_authentic'"))
    assert _replayed(tools) == []


def test_a_token_that_vouched_for_another_event_meanwhile_is_found_forged(tools: Tools) -> None:
    def mailgun(event_id: str) -> Delivery:
        event = {"id": event_id, "event": "delivered", "timestamp": NOW.timestamp(), "recipient": "anna@steel.example"}
        body = {"signature": {"timestamp": "1", "token": "t" * 50, "signature": "checked at the door"}, "event-data": event}
        return Delivery(id=uuid4().hex, source="mg", esp="mailgun", received_at=NOW, body=orjson.dumps(body))

    process([mailgun("e1")], replace(tools, adapters={}), now_us=NOW_US)
    process([mailgun("e2")], tools, now_us=NOW_US)
    _replayed(tools)
    assert _rows(tools, "SELECT esp_event_id FROM events") == [("e2",)]
    assert _rows(tools, "SELECT count(*) FROM deliveries WHERE state = 'not_authentic'") == [(1,)]
    assert _outcomes(tools)["not_authentic"] == 1


def test_deliveries_are_chosen_by_state_source_time_and_id(tools: Tools) -> None:
    first, second, third = _delivery(BOUNCE), _delivery({"kind": "nonsense"}, minutes=1), _delivery(BOUNCE, source="other", minutes=2)
    process([first, second, third], tools, now_us=NOW_US)
    minute_us = 60_000_000
    for wanted, ids in (
        (EVERYTHING, [first.id, second.id, third.id]),
        (ArchiveFilter(states=("quarantined",)), [second.id]),
        (ArchiveFilter(states=REPLAYABLE, source="other"), [third.id]),
        (ArchiveFilter(states=REPLAYABLE, from_us=NOW_US + minute_us, to_us=NOW_US + 2 * minute_us), [second.id]),
        (ArchiveFilter(states=REPLAYABLE, delivery_id=first.id), [first.id]),
    ):
        found = [item for part in load_archived(tools.database, wanted) for item in part]
        assert [item.delivery.id for item in found] == ids
        assert count_archived(tools.database, wanted) == len(ids)


def test_a_delivery_is_read_as_it_came(tools: Tools) -> None:
    delivery = _delivery(BOUNCE)
    process([delivery], tools, now_us=NOW_US)
    ((item,),) = load_archived(tools.database, EVERYTHING)
    assert item.delivery == delivery


def test_many_deliveries_are_read_in_parts_and_none_is_left_out(tools: Tools) -> None:
    process([_delivery(BOUNCE | {"recipient": f"p{number}@steel.example"}) for number in range(120)], _failing(tools), now_us=NOW_US)
    assert sum(item.events for item in _replayed(tools)) == 120


def test_what_somebody_else_released_meanwhile_is_left_alone(tools: Tools) -> None:
    process([_delivery(BOUNCE)], _failing(tools), now_us=NOW_US)
    (part,) = load_archived(tools.database, EVERYTHING)
    for expected in (1, 0):
        assert len(replay(part, tools, now_us=NOW_US, is_dry_run=False)) == expected
    assert _outcomes(tools)["released"] == 1


def test_one_delivery_that_cannot_be_kept_costs_no_other(tools: Tools) -> None:
    """A column that PostgreSQL and SQLite both refuse stands for whatever may be wrong with one event."""
    stream = [_delivery(BOUNCE), _delivery(BOUNCE | {"recipient": "bert@steel.example"}, minutes=1)]
    process(stream, _failing(tools), now_us=NOW_US)
    parse = tools.adapters["generic"].parse

    def misread(delivery: Delivery) -> Parsed:
        found = parse(delivery)
        if delivery.id != stream[0].id:
            return found
        return replace(found, events=tuple(replace(event, smtp_code=object()) for event in found.events))  # type: ignore[arg-type]

    broken = replace(tools, adapters={**tools.adapters, "generic": replace(tools.adapters["generic"], parse=misread)})
    first, second = _replayed(broken)
    assert (first.now.state, bool(first.failure), second.now.state) == ("quarantined", True, "processed")
    assert first.is_changed is False


def test_acts_are_done_again_for_quarantined_deliveries_only(tools: Tools) -> None:
    done: list[str] = []

    def refuse(_act: ConfirmSubscription, _source: str) -> None:
        raise HoppError("SNS does not answer.")

    def asks(_delivery: Delivery) -> Parsed:
        return Parsed(acts=(ConfirmSubscription(url="https://sns.example/confirm"),))

    asking = replace(
        tools,
        adapters={**tools.adapters, "generic": replace(tools.adapters["generic"], parse=asks)},
        perform=lambda act, _source: done.append(act.url),
    )
    process([_delivery()], replace(asking, perform=refuse), now_us=NOW_US)
    _replayed(asking, is_dry_run=True)
    assert done == []
    (item,) = _replayed(asking)
    assert (item.now.state, len(done)) == ("processed", 1)
    _replayed(asking)
    assert len(done) == 1


def test_a_database_that_goes_away_is_named(tools: Tools) -> None:
    process([_delivery(BOUNCE)], tools, now_us=NOW_US)
    (part,) = load_archived(tools.database, EVERYTHING)
    away = build(load_settings({"HOPP_DATABASE": "postgresql://nobody@127.0.0.1:9/none"})).database
    with pytest.raises(DatabaseUnavailableError, match="stopped answering"):
        replay(part, replace(tools, database=away), now_us=NOW_US, is_dry_run=False)
    away.close()
