"""The disk of the inbox is full: the answer is the one after which the ESP comes back, and room is all it takes to go on."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.esp import adapters
from tests.e2e.posting import sender
from tests.e2e.serving import Service, is_ready, serving
from tests.faults.load import Load, assert_nothing_is_lost, event_body

pytestmark = pytest.mark.enable_socket
_ROOM_BYTES = 40_000
_ENOUGH, _LITTLE = "400m", "700k"  # the first is enough to be ready
_UNAVAILABLE = adapters()["generic"].answers.unavailable


def test_files_that_may_not_grow_refuse_what_comes_and_lose_nothing(tmp_path: Path) -> None:
    one = sender("generic")
    with serving(tmp_path, one.config) as service, Load(service.url, one) as load:
        for _ in range(2):
            load.wait_for(30)
            with _files_kept_small(service, tmp_path / "var/hopp-inbox.sqlite-wal"):
                load.wait_for_refusals(_UNAVAILABLE, 20)
                answer = one.answer_to(service.url, event_body("too-many"))
                assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (_UNAVAILABLE, True)
        load.wait_for(30)
        load.stop()
        assert set(load.refused) == {_UNAVAILABLE}
        assert_nothing_is_lost(load.accepted, f"sqlite:///{tmp_path}/var/hopp.sqlite", "files that may not grow")


def test_a_full_disk_refuses_what_comes_and_loses_nothing(tmp_path: Path) -> None:
    """The worker can remove nothing either, for removing is written down first."""
    one, database_url = sender("generic"), f"sqlite:///{tmp_path}/hopp.sqlite"
    with _small_disk(tmp_path / "disk") as disk:
        variables = {"HOPP_DATABASE": database_url, "HOPP_INBOX": f"sqlite:///{disk}/inbox.sqlite"}
        with serving(tmp_path, one.config, **variables) as service, Load(service.url, one) as load:
            load.wait_for(30)
            assert _mount(disk, f"remount,size={_LITTLE}")
            load.wait_for_refusals(_UNAVAILABLE, 20)
            assert not is_ready(service.url)
            assert _mount(disk, f"remount,size={_ENOUGH}")
            load.wait_for(30)
            load.stop()
            assert set(load.refused) == {_UNAVAILABLE}
            assert_nothing_is_lost(load.accepted, database_url, "full disk")


@contextmanager
def _files_kept_small(service: Service, growing: Path) -> Iterator[None]:
    """No file of the web may grow past the size of this one and a little more."""
    limit = growing.stat().st_size + _ROOM_BYTES
    for process in service.children("gunicorn"):
        process.rlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    yield
    for process in service.children("gunicorn"):
        process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A disk in memory; where this user may mount none, there is no such test."""
    folder.mkdir()
    if not _mount(folder, f"size={_ENOUGH}"):
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _mount(folder: Path, options: str) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False).returncode == 0
