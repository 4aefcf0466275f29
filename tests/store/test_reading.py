"""Do the questions of the API and of /metrics mean the same on SQLite and PostgreSQL?"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from service.model.moments import HOUR_US
from service.model.words import AlertState, DeliveryState, DomainClass, EventKind, Label, Severity
from service.store import tables
from service.store.database import Connection, Database
from service.store.reading import alerts, deliveries, domains, events
from service.store.reading.alerts import AlertFilter
from service.store.reading.deliveries import DeliveryFilter
from service.store.reading.events import EventFilter
from service.store.reading.health import HealthReader
from service.store.reading.paging import Page, Position
from tests.web.rows import HOUR, NOW_US, alert_row, delivery_row, domain_row, event_row, hour_row, lag_row, recipient_row, source_row

_ROWS = (
    (tables.sources, source_row()),
    (tables.sources, source_row(2, "bounces-only")),
    (tables.source_lag, lag_row()),
    (tables.source_lag, lag_row(2, delivered_count=0, hard_count=20)),
    (tables.recipients, recipient_row()),
    (tables.events, event_row(1, recipient_id=1, diagnostic="550 unknown", label="invalid_recipient")),
    (tables.events, event_row(2, source_id=2, domain="x.example", kind="delivered", cell=1, counts_as_hard=False, received_us=NOW_US - 5)),
    (tables.events, event_row(3, occurred_us=NOW_US - HOUR_US, cell=5, diagnostic="550 again")),
    (tables.domain_hourly, hour_row(warm_n=20, warm_k=15)),
    (tables.domain_hourly, hour_row(source_id=2, cold_n=3, cold_k=3)),
    (tables.recipient_domains, domain_row()),
    (tables.due_checks, {"domain": "steel.example", "first_us": 1, "widest_us": 2, "due_us": 3}),
    (tables.alerts, alert_row()),
    (tables.alerts, alert_row("b" * 32, state="resolved", closed_us=NOW_US, opened_us=NOW_US - 1, updated_seq=2)),
    (
        tables.alert_transitions,
        {
            "id": 1, "alert_id": "a" * 32, "at_us": 1, "state": "firing", "reason": "opened", "severity": "warning",
            "attempts": 4, "reported_hard": 4, "ln_e": 15.0,
        },
    ),
    (tables.deliveries, delivery_row(body=b"some bytes")),
    (tables.deliveries, delivery_row("e" * 32, state="quarantined", received_us=NOW_US - 1)),
    (tables.source_hourly, {"source_id": 1, "hour": HOUR, "outcome": "bounced", "count": 3}),
    (tables.source_hourly, {"source_id": 1, "hour": HOUR - 500, "outcome": "bounced", "count": 4}),
)  # fmt: skip


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with a few rows in every table."""
    opened = Database(database_url)
    tables.metadata.create_all(opened.engine)
    with opened.write() as connection:
        for table, row in _ROWS:
            connection.execute(insert(table).values(**row))
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection to it."""
    with database.read() as opened:
        yield opened


def _ids(page: Page[Any]) -> list[Any]:
    return [item.id for item in page.items]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AlertFilter(), "ab"),
        (AlertFilter(state=AlertState.FIRING, severity=Severity.CRITICAL, domain_class=DomainClass.BUSINESS_GATEWAY), "a"),
        (AlertFilter(source="acme", domain="steel.example", gateway="proofpoint"), "ab"),
        (AlertFilter(source="nobody"), ""),
        (AlertFilter(opened_from_us=NOW_US), "a"),
        (AlertFilter(opened_before_us=NOW_US), "b"),
        (AlertFilter(updated_from_us=NOW_US), "ab"),
        (AlertFilter(updated_after_seq=1), "b"),
        (AlertFilter(domain="' OR 1=1 --"), ""),
    ],
)
def test_alerts_are_found(connection: Connection, wanted: AlertFilter, found: str) -> None:
    assert _ids(alerts.list_alerts(connection, wanted, limit=10)) == [letter * 32 for letter in found]


def test_pages_follow_each_other(connection: Connection) -> None:
    first = alerts.list_alerts(connection, AlertFilter(), limit=1)
    assert first.end == Position(NOW_US, "a" * 32)
    second = alerts.list_alerts(connection, AlertFilter(), limit=1, after=first.end)
    assert (_ids(second), second.end) == (["b" * 32], None)
    assert _ids(events.list_events(connection, EventFilter(), limit=2, after=Position(NOW_US, 3))) == [1, 2]


def test_one_alert_and_its_history_are_found(connection: Connection) -> None:
    row = alerts.find_alert(connection, "a" * 32)
    assert row is not None
    assert row == alerts.find_open_alert(connection, "steel.example")
    assert (row.attempts, row.reported_hard, row.rate_known) == (21, 15, True)
    assert alerts.find_alert(connection, "nothing") is None
    assert [(item.reason, item.ln_e) for item in alerts.list_transitions(connection, "a" * 32)] == [("opened", 15.0)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EventFilter(), [3, 1, 2]),
        (EventFilter(domain="steel.example"), [1, 3]),
        (EventFilter(recipient="john.doe@steel.example"), [1]),
        (EventFilter(recipient="nobody@steel.example"), []),
        (EventFilter(kind=EventKind.DELIVERED, source="bounces-only"), [2]),
        (EventFilter(label=Label.INVALID_RECIPIENT), [1]),
        (EventFilter(from_us=NOW_US - 60_000_000, to_us=NOW_US), [1, 2]),
        (EventFilter(received_from_us=NOW_US), [1, 3]),
    ],
)
def test_events_are_found(connection: Connection, wanted: EventFilter, found: list[int]) -> None:
    assert _ids(events.list_events(connection, wanted, limit=10)) == found


def test_the_answers_behind_fresh_hard_bounces_are_found(connection: Connection) -> None:
    said = events.list_said(connection, "steel.example", NOW_US - 2 * HOUR_US, NOW_US, limit=10)
    assert [(item.diagnostic, item.recipient, item.label) for item in said] == [
        ("550 unknown", "john.doe@steel.example", "invalid_recipient")
    ]
    assert [item.id for item in events.load_events(connection, [1, 3, 99])] == [3, 1]


def test_deliveries_are_found_and_their_bodies_inflate(connection: Connection) -> None:
    assert _ids(deliveries.list_deliveries(connection, DeliveryFilter(), limit=10)) == ["d" * 32, "e" * 32]
    quarantined = DeliveryFilter(state=DeliveryState.QUARANTINED, source="acme", from_us=1, to_us=NOW_US, received_from_us=1)
    assert _ids(deliveries.list_deliveries(connection, quarantined, limit=10)) == ["e" * 32]
    content = deliveries.load_content(connection, "d" * 32, limit_bytes=4)
    assert content is not None
    assert (content.body, content.is_cut) == (b"some", True)
    assert deliveries.load_content(connection, "f" * 32, limit_bytes=4) is None


def test_hours_sum_what_the_decision_sums(connection: Connection) -> None:
    (hour,) = domains.list_hours(connection, "steel.example", HOUR, HOUR + 1, nodenom_bounces=20)
    assert hour == replace(domains.HourRow(hour=HOUR), warm_n=20, warm_k=15, uncounted_hard=3)
    (without,) = domains.list_hours(connection, "steel.example", HOUR, HOUR + 1, nodenom_bounces=21)
    assert (without.attempts, without.reported_hard, without.uncounted_hard) == (23, 18, 0)
    assert domains.list_hours(connection, "steel.example", HOUR + 1, HOUR + 9, nodenom_bounces=20) == ()


def test_a_domain_and_its_open_check_are_found(connection: Connection) -> None:
    found = domains.find_domain(connection, "steel.example")
    assert found is not None
    assert (found.gateway, found.delivered_since_hard) == ("proofpoint", 2)
    assert domains.find_open_check(connection, "steel.example") == domains.OpenCheck(first_us=1, widest_us=2, due_us=3)
    assert domains.find_domain(connection, "nobody.example") is None
    assert domains.find_open_check(connection, "nobody.example") is None


def test_health_is_read_from_small_tables(database: Database) -> None:
    reader = HealthReader(database)
    first, health = reader.read(NOW_US), reader.read(NOW_US)
    assert health is not None
    assert health == first
    assert dict(health.outcomes) == {("acme", "bounced"): 7}
    assert dict(health.alerts) == {("firing", "critical"): 1, ("resolved", "critical"): 1}
    assert (health.due_checks, health.oldest_due_us) == (1, 3)
    assert [(source.name, round(source.lag_seconds)) for source in health.sources] == [("acme", 148), ("bounces-only", 148)]


def test_health_of_a_database_without_tables_is_none(tmp_path: object) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.sqlite")
    assert HealthReader(database).read(NOW_US) is None
    database.close()
