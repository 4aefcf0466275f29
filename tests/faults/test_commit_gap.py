"""A worker dies after its commit and before the inbox heard of it: the delivery comes again, and twice is once."""

import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Signal

import psutil
import pytest
from sqlalchemy import text

from service.bootstrap import Hopp, build
from service.model.moments import to_us
from service.pipeline.process import process
from service.settings import load_settings
from service.store import schema
from service.store.database import Database
from tests.e2e.posting import sender
from tests.e2e.serving import Service, serving, wait_until
from tests.faults.load import assert_nothing_is_lost, event_body, load_kept
from tests.inbox.deliveries import delivery

pytestmark = pytest.mark.enable_socket
_POSTS = 20


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
def hopp(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hopp]:
    """The parts over a main database in SQLite and an inbox of each kind."""
    urls: dict[str, Callable[[], str]] = {
        "sqlite": lambda: f"sqlite:///{tmp_path}/inbox.sqlite",
        "postgresql": lambda: str(request.getfixturevalue("postgres_url")),
        "nats": lambda: str(request.getfixturevalue("nats_url")),
    }
    variables = {"HOPP_DATABASE": f"sqlite:///{tmp_path}/hopp.sqlite", "HOPP_INBOX": urls[request.param]()}
    made = build(load_settings(variables, tmp_path))
    schema.migrate(made.database)
    made.inbox.prepare()
    yield made
    made.inbox.close()
    made.database.close()


def test_what_was_committed_and_not_removed_is_skipped_when_it_comes_again(hopp: Hopp) -> None:
    for number in range(_POSTS):
        hopp.inbox.append(delivery(event_body(f"event-{number}")))
    worker = hopp.worker(Signal())
    with hopp.inbox.take(_POSTS) as batch:
        committed = process(batch.deliveries, hopp.tools(), now_us=to_us(hopp.now()))
    seen = 0
    while hopp.inbox.state().waiting:
        again = worker.step()
        seen += again.events

    assert committed.deliveries > 0
    assert committed.events + seen == _POSTS
    kept = load_kept(hopp.database)
    assert (kept.events.total(), kept.counted, kept.duplicates) == (_POSTS, _POSTS, 0)


def test_a_worker_that_is_killed_in_between_counts_nothing_twice(tmp_path: Path) -> None:
    one, database_url = sender("generic"), f"sqlite:///{tmp_path}/var/hopp.sqlite"
    accepted: Counter[str] = Counter()
    with serving(tmp_path, one.config) as service:
        inbox = sqlite3.connect(tmp_path / "var/hopp-inbox.sqlite", isolation_level=None)
        database = Database(database_url)

        def post(id_: str) -> None:
            assert one.post(service.url, event_body(id_)) == 200
            accepted[id_] += 1

        post("first")  # while it starts, the worker itself would wait for the inbox
        wait_until(lambda: load_kept(database).recorded == 1 and _waiting(inbox) == 0, "the worker works")
        worker = _only_worker(service)
        worker.send_signal(signal.SIGSTOP)
        for number in range(1, _POSTS):
            post(f"event-{number}")
        inbox.execute("BEGIN IMMEDIATE")  # nothing can be removed from now on
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: len(load_kept(database).events) == _POSTS, "the worker has committed")
        worker.kill()
        inbox.rollback()
        wait_until(lambda: _waiting(inbox) == 0, "the next worker has removed it")
        with database.read() as connection:
            counted = connection.execute(text("SELECT sum(count) FROM source_hourly WHERE outcome = 'deliveries'")).scalar_one()
        inbox.close()
        database.close()
        assert counted == _POSTS
        assert_nothing_is_lost(accepted, database_url, "worker killed between commit and removal")


def _waiting(inbox: sqlite3.Connection) -> int:
    return int(inbox.execute("SELECT count(*) FROM inbox").fetchone()[0])


def _only_worker(service: Service) -> psutil.Process:
    [worker] = service.children("service worker")
    return worker
