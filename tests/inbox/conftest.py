"""An empty inbox of each kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.inbox.nats import NatsInbox
from service.inbox.port import Inbox
from service.inbox.sql import SqlInbox


@pytest.fixture(params=["sqlite", "postgresql", "nats"])
def open_inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Inbox]]:
    """Opens the same inbox again and again, as each process does; all are closed afterwards."""
    make = _maker(request, tmp_path)
    opened: list[Inbox] = []

    def open_one() -> Inbox:
        opened.append(make())
        return opened[-1]

    open_one().prepare()
    yield open_one
    for inbox in opened:
        inbox.close()


@pytest.fixture
def inbox(open_inbox: Callable[[], Inbox]) -> Inbox:
    """An empty inbox, once in SQLite, once in PostgreSQL, once in a NATS cluster."""
    return open_inbox()


def _maker(request: pytest.FixtureRequest, folder: Path) -> Callable[[], Inbox]:
    match request.param:
        case "sqlite":
            return lambda: SqlInbox(f"sqlite:///{folder}/inbox.sqlite")
        case "postgresql":
            postgres_url = request.getfixturevalue("postgres_url")
            return lambda: SqlInbox(postgres_url)
        case _:
            nats_url = request.getfixturevalue("nats_url")
            return lambda: NatsInbox(nats_url, replicas=3)
