"""An installation in a folder of its own, on a clock that the test moves, and its web on a free port."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from service.bootstrap import Hopp
from service.outbound.service_client import ServiceClient
from service.web.app import create_app
from tests.cli.installations import Clock, installation


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine is seen."""
    for name in [name for name in os.environ if name.startswith("HOPP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hopp(tmp_path: Path, clock: Clock) -> Iterator[Hopp]:
    made = installation(tmp_path, clock)
    yield made
    made.inbox.close()
    made.database.close()


@pytest.fixture
def client(hopp: Hopp) -> Iterator[ServiceClient]:
    """Speaks to the real web, on a free port of this machine."""
    server = make_server("127.0.0.1", 0, create_app(hopp))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with ServiceClient(f"http://127.0.0.1:{server.server_port}") as speaking:
            yield speaking
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
