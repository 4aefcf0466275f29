"""At a size where it matters: does every question of the hot path, the evaluator, the API and the views find its rows by an index?

Asked of the databases themselves: PostgreSQL counts in each transaction how often a table was read through, SQLite explains.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, text

from service.alerting.counting import Cell
from service.alerting.policy import Policy
from service.model.moments import DAY_US, from_us, hour_of
from service.model.words import DeliveryState
from service.pipeline.retain import Kept
from service.store import alerts, answers, attempts, ingest, kept, retention
from service.store.database import Database
from service.store.reading import deliveries, domains, events
from service.store.reading.deliveries import DeliveryFilter
from service.store.reading.events import EventFilter
from tests.store.filled import DOMAINS, EVENTS, NOW_US, STEP_US, filled

_LARGE = ("events", "event_keys", "deliveries", "recipients", "domain_hourly")
_DOMAIN, _PERSON = "d7.example", "p7@d7.example"
_WINDOW_US = NOW_US - DAY_US


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Five months of events, filled once for all questions."""
    if request.param == "sqlite":
        opened = filled(f"sqlite:///{tmp_path_factory.mktemp('plans')}/hopp.sqlite")
        yield opened
        opened.close()
        return
    with request.getfixturevalue("postgres_databases").fresh() as url:
        opened = filled(url)
        yield opened
        opened.close()


Question = Callable[[Connection], object]
_QUESTIONS: dict[str, Question] = {
    "known deliveries": lambda c: ingest.archived_ids(c, {str(number): NOW_US for number in range(500)}),
    "people of a batch": lambda c: ingest.lock_recipients(c, [f"p{number}@d{number % DOMAINS}.example" for number in range(1, 300)]),
    "keys of a batch": lambda c: kept.claim_event_keys(c, {bytes([number]) * 16: NOW_US for number in range(200)}),
    "one person's later attempts": lambda c: list(attempts.load_later(c, {7: 0})),
    "corrected events": lambda c: ingest.change_cells(
        c, {(EVENTS - number, NOW_US - number * STEP_US): Cell.WARM_DELIVERED for number in range(5)}
    ),
    "windows of due domains": lambda c: alerts.load_views(c, [_DOMAIN, "d8.example"], Policy()),
    "newest hard bounce of a domain": lambda c: answers.find_last_hard_us(c, _DOMAIN),
    "events": lambda c: events.list_events(c, EventFilter(), limit=50),
    "events of a domain": lambda c: events.list_events(c, EventFilter(domain=_DOMAIN), limit=50),
    "events of a person": lambda c: events.list_events(c, EventFilter(recipient=_PERSON), limit=50),
    "events since": lambda c: events.list_events(c, EventFilter(received_from_us=_WINDOW_US), limit=50),
    "answers behind an alert": lambda c: events.list_said(c, _DOMAIN, _WINDOW_US, NOW_US, limit=20),
    "events of an alert": lambda c: events.load_events(c, [EVENTS - number for number in range(20)]),
    "deliveries": lambda c: deliveries.list_deliveries(c, DeliveryFilter(), limit=50),
    "one delivery": lambda c: deliveries.find_delivery(c, "77"),
    "quarantined deliveries": lambda c: deliveries.list_deliveries(c, DeliveryFilter(state=DeliveryState.QUARANTINED), limit=20),
    "processed deliveries": lambda c: deliveries.list_deliveries(c, DeliveryFilter(state=DeliveryState.PROCESSED), limit=20),
    "hours of a domain": lambda c: domains.list_hours(c, _DOMAIN, hour_of(_WINDOW_US), hour_of(NOW_US), nodenom_bounces=20),
    "the view of domains, last day": lambda c: c.execute(
        text("SELECT domain, sum(attempts) FROM v_domain_hourly WHERE hour >= :since GROUP BY domain"), {"since": _since(c)}
    ).all(),
    "the view of domains, one domain": lambda c: c.execute(text("SELECT * FROM v_domain_hourly WHERE domain = :d"), {"d": _DOMAIN}).all(),
    "oldest hour": retention.oldest_hour,
    "what is too old": lambda c: retention.delete_deliveries(c, retention.TABLES[Kept.ARCHIVE].name, NOW_US - 900 * DAY_US, 10),
}
_OF_NOW = ("known deliveries", "corrected events", "answers behind an alert", "events since")  # they need no month but the newest


def _since(connection: Connection) -> object:
    moment = from_us(_WINDOW_US)
    return moment if connection.dialect.name == "postgresql" else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _undone(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        connection.detach()  # PostgreSQL also counts what a session did just before
        yield connection
        connection.rollback()


def _read_through(database: Database, question: Question) -> set[str]:
    """Large tables that the question reads from end to end."""
    if database.is_sqlite:
        return {found[1] for line in _explained(database, question) if (found := re.fullmatch(r"SCAN (\w+)", line)) and found[1] in _LARGE}
    return {name for name, scans, _ in _scans(database, question) if scans and name.startswith(_LARGE)}


def _scans(database: Database, question: Question) -> list[tuple[str, int, int]]:
    with _undone(database) as connection:
        connection.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
        question(connection)
        counted = text("SELECT relname, seq_scan, coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables")
        return [(name, scans, looks) for name, scans, looks in connection.execute(counted)]


def _explained(database: Database, question: Question) -> list[str]:
    asked: list[str] = []
    with _undone(database) as connection:
        raw: Any = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        connection.exec_driver_sql("BEGIN")
        raw.set_trace_callback(asked.append)
        question(connection)
        raw.set_trace_callback(None)
        statements = {line for line in asked if line.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))}
        return [row[3] for line in statements for row in raw.execute(f"EXPLAIN QUERY PLAN {line}")]


@pytest.mark.parametrize("name", _QUESTIONS)
def test_no_large_table_is_read_through(database: Database, name: str) -> None:
    assert _read_through(database, _QUESTIONS[name]) == set()


@pytest.mark.parametrize("name", _OF_NOW)
def test_a_question_about_now_looks_into_no_old_month(database: Database, name: str) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no partitions")
    touched = {table for table, scans, looks in _scans(database, _QUESTIONS[name]) if scans + looks and re.search(r"_\d{4}_\d{2}$", table)}
    assert {table[-7:] for table in touched} <= {"2026_03", "2026_02"}


def test_the_index_of_states_finds_what_was_not_processed(database: Database) -> None:
    """It holds no more than that: a question that does not say so would go without it."""
    question = _QUESTIONS["quarantined deliveries"]
    if database.is_sqlite:
        assert any("USING INDEX ix_deliveries_state" in line for line in _explained(database, question))
        return
    with _undone(database) as connection:
        question(connection)
        looks = text("SELECT sum(pg_stat_get_xact_numscans(oid)) FROM pg_class WHERE relkind = 'i' AND relname ~ '^deliveries_.*state'")
        assert connection.execute(looks).scalar_one() > 0
