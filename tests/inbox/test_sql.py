"""What is true of an inbox in a database alone: one worker on SQLite, and a full disk."""

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, text

from service.inbox import sql
from service.inbox.sql import SqlInbox, WorkerAlreadyRunningError
from service.model.errors import InboxUnavailableError
from service.model.events import Delivery
from tests.inbox.deliveries import delivery, taken

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
