"""PostgreSQL is slow, stopped, crashes or has no connection left, under load: what is accepted arrives, wherever the inbox is."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import urllib3
from sqlalchemy.engine import URL, make_url

from service.esp import adapters
from tests.e2e.posting import sender
from tests.e2e.serving import serving, wait_until
from tests.faults.load import Load, assert_nothing_is_lost
from tests.postgres import PostgresServer

pytestmark = pytest.mark.enable_socket
_ROLE = "hopp"
_UNAVAILABLE = adapters()["generic"].answers.unavailable


@pytest.mark.parametrize("inbox", ["sqlite", "postgresql"])
def test_no_outage_of_postgresql_loses_anything(tmp_path: Path, own_postgres: PostgresServer, inbox: str) -> None:
    """With an inbox of its own every webhook is taken meanwhile; in the same PostgreSQL it is told to come again."""
    one = sender("generic")
    with own_postgres.databases.fresh() as admin_url:
        url = _made_ours(admin_url)
        inbox_url = url if inbox == "postgresql" else f"sqlite:///{tmp_path}/inbox.sqlite"
        outages: list[AbstractContextManager[None]] = [
            _stopped(own_postgres),
            _crashed(own_postgres),
            _without_connections(admin_url),
        ]
        with serving(tmp_path, one.config, HOPP_DATABASE=url, HOPP_INBOX=inbox_url) as service, Load(service.url, one) as load:
            with _slow(admin_url, "inbox" if inbox == "postgresql" else "events"):
                load.wait_for(0)
            for outage in outages:
                load.wait_for(25)
                with outage:
                    if inbox == "postgresql":
                        load.wait_for_refusals(_UNAVAILABLE, 8)
                    else:
                        load.wait_for(25)
                        assert "hopp_database_up 0.0" in _metrics(service.url)
            load.wait_for(25)
            load.stop()
            assert set(load.refused) <= ({_UNAVAILABLE} if inbox == "postgresql" else set())
            assert_nothing_is_lost(load.accepted, admin_url, f"outages of PostgreSQL, inbox in {inbox}")


def _made_ours(admin_url: str) -> str:
    """The URL of the same database for a role whose connections can be limited, as a superuser's cannot."""
    database = make_url(admin_url)
    _execute(admin_url, f"CREATE ROLE {_ROLE} LOGIN", f'ALTER DATABASE "{database.database}" OWNER TO {_ROLE}')
    return database.set(username=_ROLE).render_as_string(hide_password=False)


@contextmanager
def _stopped(server: PostgresServer) -> Iterator[None]:
    server.stop()
    yield
    server.start()


@contextmanager
def _crashed(server: PostgresServer) -> Iterator[None]:
    server.stop("immediate")
    yield
    server.start()


@contextmanager
def _without_connections(admin_url: str) -> Iterator[None]:
    _execute(
        admin_url,
        f"ALTER ROLE {_ROLE} CONNECTION LIMIT 0",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_ROLE}'",
    )
    yield
    _execute(admin_url, f"ALTER ROLE {_ROLE} CONNECTION LIMIT -1")


@contextmanager
def _slow(admin_url: str, table: str) -> Iterator[None]:
    """Whoever writes to this table waits, until somebody does."""
    with psycopg.connect(_plain(admin_url)) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
        wait_until(lambda: connection.execute(waiting.encode()).fetchone() != (0,), "somebody waits for the table")


def _execute(admin_url: str, *statements: str) -> None:
    with psycopg.connect(_plain(admin_url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _plain(url: str) -> str:
    database: URL = make_url(url)
    return database.set(drivername="postgresql").render_as_string(hide_password=False)


def _metrics(url: str) -> str:
    return urllib3.request("GET", f"{url}/metrics", retries=False, timeout=30).data.decode()
