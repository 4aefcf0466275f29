"""What got in comes out once, in order, whoever dies; on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from service.inbox.sql import SqlInbox, WorkerAlreadyRunningError
from service.model.errors import InboxUnavailableError
from service.model.events import Delivery

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def inbox(database_url: str) -> Iterator[SqlInbox]:
    opened = SqlInbox(database_url)
    opened.prepare()
    yield opened
    opened.close()


def delivery(body: bytes = b"{}") -> Delivery:
    return Delivery(id=uuid4().hex, source="acme", esp="generic", received_at=NOW, body=body, headers={"x-a": "b"}, query="q=1")


def test_a_delivery_comes_out_as_it_went_in(inbox: SqlInbox) -> None:
    small, large = delivery(b"\x00\xff"), delivery(b"x" * 50_000)
    inbox.append(small)
    inbox.append(large)

    with inbox.take(10) as batch:
        assert batch.deliveries == (small, large)


def test_what_is_not_done_waits_again(inbox: SqlInbox) -> None:
    inbox.append(delivery())
    with inbox.take(10) as batch:
        assert len(batch.deliveries) == 1
    with inbox.take(10) as batch:
        assert len(batch.deliveries) == 1
        batch.done()
    with inbox.take(10) as batch:
        assert batch.deliveries == ()


def test_what_comes_during_a_batch_is_not_removed_with_it(inbox: SqlInbox) -> None:
    inbox.append(delivery())
    later = delivery()
    with inbox.take(10) as batch:
        inbox.append(later)
        batch.done()
    with inbox.take(10) as batch:
        assert [item.id for item in batch.deliveries] == [later.id]


def test_many_threads_lose_nothing(inbox: SqlInbox) -> None:
    sent = [delivery() for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(inbox.append, sent))
    with inbox.take(1_000) as batch:
        assert {item.id for item in batch.deliveries} == {item.id for item in sent}
    assert inbox.state().waiting == 200


def test_state_knows_the_oldest(inbox: SqlInbox) -> None:
    assert inbox.state().oldest_received_at is None
    inbox.append(delivery())
    assert inbox.state().oldest_received_at == NOW


def test_two_workers_never_hold_the_same_delivery(postgres_url: str) -> None:
    first, second = SqlInbox(postgres_url), SqlInbox(postgres_url)
    first.prepare()
    for _ in range(4):
        first.append(delivery())
    with first.take(3) as one, second.take(3) as other:
        assert (len(one.deliveries), len(other.deliveries)) == (3, 1)
    first.close()
    second.close()


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
