"""What becomes of a batch of deliveries: kept once, quarantined with its reason, or refused as forged; never lost."""

import gc
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import text

from service.alerting.policy import Policy
from service.bootstrap import build
from service.model.events import Delivery, Event, Parsed
from service.model.moments import HOUR_US, to_us
from service.model.words import EventKind
from service.pipeline.count import Counted, count
from service.pipeline.history import HistoricEvent, import_events
from service.pipeline.incoming import Incoming
from service.pipeline.process import process
from service.pipeline.reading import Tools
from service.settings import load_settings
from service.store import schema
from service.store.database import Connection, DatabaseUnavailableError
from service.store.ingest import RecipientRow

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW_US = to_us(NOW)


@pytest.fixture
def tools(database_url: str) -> Iterator[Tools]:
    built = build(load_settings({"HOPP_DATABASE": database_url})).tools()
    schema.migrate(built.database)
    yield built
    built.database.close()


def generic(*events: dict[str, Any], body: bytes | None = None) -> Delivery:
    return Delivery(id=uuid4().hex, source="acme", esp="generic", received_at=NOW, body=orjson.dumps(events) if body is None else body)


def mailgun(event_id: str, token: str = "t" * 50) -> Delivery:
    event = {"id": event_id, "event": "delivered", "timestamp": NOW.timestamp(), "recipient": "anna@steel.example"}
    body = {"signature": {"timestamp": "1", "token": token, "signature": "checked at the door"}, "event-data": event}
    return Delivery(id=uuid4().hex, source="mg", esp="mailgun", received_at=NOW, body=orjson.dumps(body))


BOUNCE = {
    "kind": "bounced",
    "recipient": "anna@steel.example",
    "occurred_at": "2026-03-02T07:59:00Z",
    "reported_type": "hard",
    "diagnostic": "550 5.1.1 User unknown",
}


def outcomes(tools: Tools) -> Counter[str]:
    with tools.database.read() as connection:
        rows = connection.execute(text("SELECT outcome, sum(count) FROM source_hourly GROUP BY outcome")).all()
    return Counter({outcome: int(count) for outcome, count in rows})


def rows(tools: Tools, sql: str) -> list[tuple[Any, ...]]:
    with tools.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_an_event_is_kept_with_its_label_and_its_raw_delivery(tools: Tools) -> None:
    process([generic(BOUNCE)], tools, now_us=NOW_US)

    assert rows(tools, "SELECT kind, label, reported_type, counts_as_hard FROM events") == [("bounced", "invalid_recipient", "hard", True)]
    assert rows(tools, "SELECT state, event_count FROM deliveries") == [("processed", 1)]


def test_the_same_delivery_twice_is_once(tools: Tools) -> None:
    """A worker that died between the commit and the inbox finds it again."""
    delivery = generic(BOUNCE)
    process([delivery], tools, now_us=NOW_US)
    again = process([delivery], tools, now_us=NOW_US)

    assert (again.deliveries, again.events) == (0, 0)
    assert outcomes(tools)["deliveries"] == 1


def test_the_same_event_in_another_delivery_is_counted_as_a_duplicate(tools: Tools) -> None:
    process([generic(BOUNCE), generic(BOUNCE)], tools, now_us=NOW_US)
    process([generic(BOUNCE)], tools, now_us=NOW_US)

    assert rows(tools, "SELECT count(*) FROM events") == [(1,)]
    assert (outcomes(tools)["events"], outcomes(tools)["duplicates"]) == (1, 2)


def test_one_bad_event_costs_no_other(tools: Tools) -> None:
    process([generic(BOUNCE, {"kind": "nonsense"}, BOUNCE | {"recipient": "bert@steel.example"})], tools, now_us=NOW_US)

    assert rows(tools, "SELECT count(*) FROM events") == [(2,)]
    [(state, error)] = rows(tools, "SELECT state, error FROM deliveries")
    assert state == "quarantined"
    assert "nonsense" in error


def test_what_is_quarantined_is_logged_once_for_each_reason_without_its_body(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    unread = [generic({"kind": "nothing", "recipient": "anna@steel.example"}) for _ in range(3)] + [generic(body=b"{")]
    process(unread, tools, now_us=NOW_US)
    lines = [line for line in "".join(capsys.readouterr()).splitlines() if "delivery_quarantined" in line]
    assert ["alike=3" in lines[0], "alike=1" in lines[1], len(lines)] == [True, True, 2]
    assert unread[0].id in lines[0]
    assert "anna" not in "".join(lines)


def test_a_body_that_no_adapter_reads_is_quarantined_and_the_rest_goes_on(tools: Tools) -> None:
    process([generic(body=b"{broken"), generic(BOUNCE)], tools, now_us=NOW_US)

    assert rows(tools, "SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state") == [("processed", 1), ("quarantined", 1)]
    assert rows(tools, "SELECT count(*) FROM events") == [(1,)]


def test_an_adapter_that_fails_stops_nothing(tools: Tools) -> None:
    def fail(_delivery: Delivery) -> Parsed:
        raise ZeroDivisionError

    broken = replace(tools, adapters={**tools.adapters, "generic": replace(tools.adapters["generic"], parse=fail)})
    process([generic(BOUNCE)], broken, now_us=NOW_US)

    [(state, error)] = rows(tools, "SELECT state, error FROM deliveries")
    assert state == "quarantined"
    assert "ZeroDivisionError" in error


def test_a_token_with_its_own_event_again_is_a_duplicate(tools: Tools) -> None:
    process([mailgun("e1")], tools, now_us=NOW_US)
    process([mailgun("e1")], tools, now_us=NOW_US)

    assert (outcomes(tools)["duplicates"], outcomes(tools)["not_authentic"]) == (1, 0)


@pytest.mark.parametrize("together", [True, False])
def test_a_token_with_another_event_is_forged(tools: Tools, *, together: bool) -> None:
    for batch in [[mailgun("e1"), mailgun("e2")]] if together else [[mailgun("e1")], [mailgun("e2")]]:
        process(batch, tools, now_us=NOW_US)

    assert rows(tools, "SELECT esp_event_id FROM events") == [("e1",)]
    assert rows(tools, "SELECT count(*) FROM deliveries WHERE state = 'not_authentic'") == [(1,)]
    assert outcomes(tools)["not_authentic"] == 1


def test_an_event_from_the_future_is_filed_at_its_receipt(tools: Tools) -> None:
    process([generic(BOUNCE | {"occurred_at": "2026-03-05T00:00:00Z"})], tools, now_us=NOW_US)

    [(occurred_us, reported_us)] = rows(tools, "SELECT occurred_us, reported_us FROM events")
    assert (occurred_us, reported_us) == (NOW_US, to_us(datetime(2026, 3, 5, tzinfo=UTC)))
    assert outcomes(tools)["from_the_future"] == 1


def test_texts_longer_than_their_column_cost_no_event(tools: Tools) -> None:
    """PostgreSQL refuses a row for them, and with it the whole batch."""
    names = ("esp", "message_id", "esp_event_id", "esp_event_type", "esp_class", "esp_subclass", "remote_host", "sending_ip", "campaign")
    done = process([generic(BOUNCE | dict.fromkeys(names, "x" * 500)), generic(BOUNCE)], tools, now_us=NOW_US)

    assert (done.events, done.quarantined) == (2, 0)
    assert rows(tools, "SELECT sending_ip, length(campaign) FROM domain_hourly ORDER BY 2 DESC")[0] == ("x" * 45, 255)


def test_a_locked_database_leaves_the_batch_where_it_is(tmp_path: Path) -> None:
    """Nothing that the data is to blame for may put a delivery into quarantine."""
    url = f"sqlite:///{tmp_path}/locked.sqlite"
    built = build(load_settings({"HOPP_DATABASE": url})).tools()
    schema.migrate(built.database)
    with built.database.read() as waiting:
        waiting.execute(text("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(tmp_path / "locked.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailableError, match="locked"):
        process([generic(BOUNCE)], built, now_us=NOW_US)
    other.execute("ROLLBACK")
    other.close()

    assert process([generic(BOUNCE)], built, now_us=NOW_US).events == 1
    built.database.close()


def test_a_token_is_spent_for_every_source_of_its_account(tools: Tools) -> None:
    process([mailgun("e1")], tools, now_us=NOW_US)
    process([replace(mailgun("e2"), source="mg-two")], tools, now_us=NOW_US)

    assert rows(tools, "SELECT esp_event_id FROM events") == [("e1",)]


def test_history_from_a_year_to_come_moves_no_window(tools: Tools) -> None:
    event = Event(kind=EventKind.DELIVERED, esp="generic", recipient="anna@steel.example", occurred_at=NOW.replace(year=2062))
    import_events([HistoricEvent(event=event, source="acme", received_at=None)], tools, import_id="i", now_us=NOW_US)

    assert rows(tools, "SELECT newest_hour FROM recipient_domains") == [(NOW_US // HOUR_US,)]


def test_what_no_adapter_is_left_for_is_kept_for_a_replay(tools: Tools) -> None:
    process([replace(generic(BOUNCE), esp="gone")], tools, now_us=NOW_US)

    [(state, error)] = rows(tools, "SELECT state, error FROM deliveries")
    assert state == "quarantined"
    assert "no adapter 'gone'" in error


def test_a_database_that_is_away_leaves_the_batch_where_it_is(tools: Tools) -> None:
    away = build(load_settings({"HOPP_DATABASE": "postgresql://nobody@127.0.0.1:9/none"})).database
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        process([generic(BOUNCE)], replace(tools, database=away), now_us=NOW_US)
    away.close()


def test_a_forged_body_makes_no_forgery_of_the_genuine_one_beside_it(tools: Tools) -> None:
    process([mailgun("e1")], tools, now_us=NOW_US)
    process([mailgun("e2"), mailgun("e1")], tools, now_us=NOW_US)

    assert outcomes(tools)["not_authentic"] == 1
    assert outcomes(tools)["duplicates"] == 1


def test_a_batch_that_another_worker_overtakes_is_tried_again_at_once(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see the same person for the first time; who comes second finds the person that the first one wrote."""
    built = build(load_settings({"HOPP_DATABASE": postgres_url})).tools()
    schema.migrate(built.database)
    process([generic({**BOUNCE, "recipient": "bert@steel.example"})], built, now_us=NOW_US)  # the source is known to both
    others = [generic({**BOUNCE, "occurred_at": "2026-03-02T07:30:00Z"})]

    def overtaken(connection: Connection, new: Mapping[bytes, Incoming], known: Mapping[str, RecipientRow], policy: Policy) -> Counted:
        if others:
            process([others.pop()], built, now_us=NOW_US)
        return count(connection, new, known, policy)

    monkeypatch.setattr("service.pipeline.record.count", overtaken)

    done = process([generic(BOUNCE)], built, now_us=NOW_US)

    assert (done.events, rows(built, "SELECT hard_count FROM recipients WHERE address LIKE 'anna@%'")) == (1, [(2,)])
    built.database.close()


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_left_as_it_was(tools: Tools, is_on: bool) -> None:  # noqa: FBT001 - both states are the fact
    before = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    process([generic(BOUNCE)], tools, now_us=NOW_US)
    after = gc.isenabled()
    (gc.enable if before else gc.disable)()
    assert after is is_on
