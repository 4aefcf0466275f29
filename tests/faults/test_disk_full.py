"""The disk of the inbox is full: the answer is the one after which the ESP comes back, and room is all it takes to go on."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.esp import adapters
from tests.e2e.posting import sender
from tests.e2e.serving import Service, serving
from tests.faults.load import Load, assert_nothing_is_lost, event_body

pytestmark = pytest.mark.enable_socket
_ROOM_BYTES = 40_000
_UNAVAILABLE = adapters()["generic"].answers.unavailable


def test_a_full_disk_refuses_what_comes_and_loses_nothing(tmp_path: Path) -> None:
    one = sender("generic")
    with serving(tmp_path, one.config) as service, Load(service.url, one) as load:
        for _ in range(2):
            load.wait_for(30)
            with _full_disk(service, tmp_path / "var/hopp-inbox.sqlite-wal"):
                load.wait_for_refusals(_UNAVAILABLE, 20)
                answer = one.answer_to(service.url, event_body("too-many"))
                assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (_UNAVAILABLE, True)
        load.wait_for(30)
        load.stop()
        assert set(load.refused) == {_UNAVAILABLE}
        assert_nothing_is_lost(load.accepted, f"sqlite:///{tmp_path}/var/hopp.sqlite", "full disk")


@contextmanager
def _full_disk(service: Service, growing: Path) -> Iterator[None]:
    """No file of the web may grow past the size of this one and a little more."""
    limit = growing.stat().st_size + _ROOM_BYTES
    for process in service.children("gunicorn"):
        process.rlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    yield
    for process in service.children("gunicorn"):
        process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
