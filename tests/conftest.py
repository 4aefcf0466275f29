"""What does every test find ready?"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.nats_cluster import NatsCluster, NoNatsError, own_cluster
from tests.postgres import Databases, NoPostgresError, PostgresServer, databases, own_server

IS_CI = os.environ.get("CI") == "true"

# A busy machine must fail no test, and CI must find today what it found yesterday.
settings.register_profile("hopp", deadline=None, derandomize=IS_CI, print_blob=True)
settings.load_profile("hopp")


@pytest.fixture(autouse=True)
def _no_write_after_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that counts refused posts would open the database of a test that is over."""
    monkeypatch.setattr("service.web.refusals.FLUSH_SECONDS", 86_400.0)


@contextmanager
def _skipped_where_missing() -> Iterator[None]:
    """A developer's machine may go without a server, and says so; CI may not."""
    try:
        yield
    except (NoPostgresError, NoNatsError) as error:
        if IS_CI:
            raise
        pytest.skip(f"no server: {error}")


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """A PostgreSQL server for the whole run: the one at HOPP_TEST_POSTGRES, or one of our own."""
    with _skipped_where_missing(), databases(os.environ.get("HOPP_TEST_POSTGRES")) as running:
        yield running


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A durable PostgreSQL server that a test may stop and start."""
    with _skipped_where_missing(), own_server(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def nats_cluster() -> Iterator[NatsCluster]:
    """A NATS cluster of three nodes for the whole run."""
    with _skipped_where_missing(), own_cluster() as running:
        yield running


@pytest.fixture
def nats_url(nats_cluster: NatsCluster) -> str:
    """The URL of an inbox that nobody has made yet."""
    return nats_cluster.fresh_url()


@pytest.fixture
def own_nats_cluster() -> Iterator[NatsCluster]:
    """A NATS cluster whose nodes a test may kill."""
    with _skipped_where_missing(), own_cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hopp.sqlite"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command sets up logs for its whole process; the next test must not find them so."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
