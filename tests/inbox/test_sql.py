"""What is true of an inbox in a database alone: one worker on SQLite, and a full disk."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from service.inbox import sql
from service.inbox.port import SourceWaiting, WorkerAlreadyRunningError
from service.inbox.sql import SqlInbox
from service.model.errors import InboxUnavailableError
from service.model.events import Delivery
from tests.inbox.deliveries import NOW, delivery, taken

_PAGES = 60  # 240 kB


def test_sqlite_serves_one_worker(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/inbox.sqlite"
    first, second = SqlInbox(url), SqlInbox(url)
    first.prepare()
    with first.take(1), pytest.raises(WorkerAlreadyRunningError, match="stop the other"), second.take(1):
        pass
    first.close()
    second.close()


def test_an_inbox_that_cannot_keep_a_delivery_says_so(tmp_path: Path) -> None:
    inbox = SqlInbox(f"sqlite:///{tmp_path}/never-prepared.sqlite")
    with pytest.raises(InboxUnavailableError, match="cannot keep a delivery"):
        inbox.append(delivery())
    inbox.close()


def test_a_server_that_takes_too_long_is_not_waited_for(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_PATIENCE_SECONDS", 1)
    inbox = SqlInbox(postgres_url)
    inbox.prepare()
    inbox.append(delivery())
    with inbox._database.engine.connect() as other:
        other.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(InboxUnavailableError, match="timeout"):
            inbox.append(delivery())
        with pytest.raises(InboxUnavailableError, match="timeout"):
            inbox.state()
    assert inbox.state().waiting == 1
    inbox.close()


def test_a_full_inbox_refuses_keeps_what_it_has_and_takes_more_once_that_is_done(tmp_path: Path) -> None:
    inbox = SqlInbox(f"sqlite:///{tmp_path}/inbox.sqlite")
    event.listen(inbox._database.engine, "connect", _limit)
    inbox.prepare()
    kept: list[Delivery] = []
    with pytest.raises(InboxUnavailableError, match="full"):
        _fill(inbox, kept)
    assert kept
    assert taken(inbox) == kept
    inbox.append(delivery())
    inbox.close()


def _fill(inbox: SqlInbox, kept: list[Delivery]) -> None:
    for _ in range(_PAGES):
        item = delivery(os.urandom(20_000))
        inbox.append(item)
        kept.append(item)


def _limit(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA max_page_count={_PAGES}").close()


@pytest.fixture
def sql_inbox(database_url: str) -> Iterator[SqlInbox]:
    """An empty inbox, once in SQLite and once in PostgreSQL."""
    inbox = SqlInbox(database_url)
    inbox.prepare()
    yield inbox
    inbox.close()


def test_a_batch_of_large_bodies_is_smaller(sql_inbox: SqlInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is how large they are unpacked."""
    monkeypatch.setattr(sql, "_BATCH_BYTES", 100_000)
    sizes = (60_000, 30_000, 30_000, 500_000, 100, 100)
    sent = [delivery(b"x" * size) for size in sizes]
    for item in sent:
        sql_inbox.append(item)
    found: list[list[int]] = []
    while not found or found[-1]:
        with sql_inbox.take(5) as batch:
            found.append([len(item.body) for item in batch.deliveries])
            batch.done()
    assert found == [[60_000, 30_000], [30_000], [500_000], [100, 100], []]


def test_what_does_not_fit_into_a_batch_is_left_to_another_worker(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BATCH_BYTES", 100_000)
    first, second = SqlInbox(postgres_url), SqlInbox(postgres_url)
    first.prepare()
    for _ in range(3):
        first.append(delivery(b"x" * 90_000))
    with first.take(10) as one, second.take(10) as other:
        assert (len(one.deliveries), len(other.deliveries)) == (1, 1)
    first.close()
    second.close()


def test_batches_grow_again_after_large_bodies(sql_inbox: SqlInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BATCH_BYTES", 100_000)
    for size in (90_000, 90_000, *([10] * 30)):
        sql_inbox.append(delivery(b"x" * size))
    counts: list[int] = []
    while not counts or counts[-1]:
        with sql_inbox.take(100) as batch:
            counts.append(len(batch.deliveries))
            batch.done()
    assert sum(counts) == 32
    assert len(counts) < 10


def test_a_server_that_was_started_anew_is_connected_to_again(postgres_url: str) -> None:
    inbox = SqlInbox(postgres_url)
    inbox.prepare()
    inbox.append(delivery())
    with inbox._database.engine.connect() as other:
        other.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
        )
    inbox.append(delivery())
    assert inbox.state().waiting == 2
    inbox.close()


def test_a_delivery_that_postgresql_cannot_hold_refuses_no_other(postgres_url: str) -> None:
    inbox = SqlInbox(postgres_url)
    inbox.prepare()
    bad = replace(delivery(), query="\x00")
    with ThreadPoolExecutor(8) as pool:
        kept = [pool.submit(inbox.append, delivery()) for _ in range(20)]
        refused = pool.submit(inbox.append, bad)
        assert [future.result() for future in kept] == [None] * 20
        assert isinstance(refused.exception(), InboxUnavailableError)
    assert inbox.state().waiting == 20
    inbox.close()


def test_a_forked_process_opens_a_connection_of_its_own(sql_inbox: SqlInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sql_inbox.append(delivery())
    parents = sql_inbox._appender._writer
    assert parents is not None
    with monkeypatch.context() as forked:
        forked.setattr("service.inbox.appender.os.getpid", lambda: -1)
        sql_inbox.append(delivery())
        assert sql_inbox._appender._writer is not parents
        sql_inbox._appender.close()
    parents.close()
    assert sql_inbox.state().waiting == 2


def test_state_tells_how_much_of_each_source_waits(sql_inbox: SqlInbox) -> None:
    for minute, source in enumerate(("acme", "other", "acme")):
        sql_inbox.append(replace(delivery(received_at=NOW + timedelta(minutes=minute)), source=source))
    assert sql_inbox.state().sources == {
        "acme": SourceWaiting(waiting=2, oldest_received_at=NOW),
        "other": SourceWaiting(waiting=1, oldest_received_at=NOW + timedelta(minutes=1)),
    }


def test_state_counts_a_long_queue_by_its_numbers(sql_inbox: SqlInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_LOOKED_AT", 3)
    for _ in range(7):
        sql_inbox.append(delivery())
    with sql_inbox.take(1) as batch:
        batch.done()
    assert sql_inbox.state().waiting == 6
