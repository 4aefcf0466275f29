"""Does the worker give a thread to whole requests only, and an end to those that never become whole?"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.serving import environment_with, free_port, wait_until

pytestmark = pytest.mark.enable_socket
_THREADS = 2
_APP = """
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return (body,)
"""
_CONFIG = """
from service.web import worker
worker.REQUEST_SECONDS = worker.LARGE_SECONDS = worker.LINGER_SECONDS = {seconds}
worker_class = "service.web.worker.GatheringWorker"
threads = {threads}
bind = "127.0.0.1:{port}"
control_socket_disable = True
"""


class _Server:
    """A gunicorn with two threads that sends back what it gets."""

    def __init__(self, folder: Path, request_seconds: float) -> None:
        self.port = free_port()
        (folder / "echo.py").write_text(_APP)
        (folder / "conf.py").write_text(_CONFIG.format(seconds=request_seconds, threads=_THREADS, port=self.port))
        line = [sys.executable, "-m", "gunicorn", "--config", "conf.py", "echo:app"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(line, cwd=folder, env=environment_with(), stdout=log, stderr=log)
        wait_until(self._listens, "gunicorn listens")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def open(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    running = _Server(tmp_path_factory.mktemp("patient"), 60)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    """A server that waits for no request longer than half a second."""
    running = _Server(tmp_path_factory.mktemp("hasty"), 0.5)
    yield running
    running.stop()


def _post(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(("POST / HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", "")).encode() + body


def _answer(connection: socket.socket, length: int) -> tuple[int, bytes]:
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        while file.readline().strip():
            pass
        return status, file.read(length)


def test_more_half_requests_than_threads_keep_nobody_waiting(server: _Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(server.open())) for _ in range(5 * _THREADS)]
        for number, connection in enumerate(slow):
            connection.sendall(_post(b"body")[: 10 if number % 2 else -1])
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(_post(b"quick"))
        assert _answer(quick, 5) == (200, b"quick")
        for number, connection in enumerate(slow):
            connection.sendall(_post(b"body")[10 if number % 2 else -1 :])
        assert [_answer(connection, 4) for connection in slow] == [(200, b"body")] * len(slow)


def test_a_connection_is_kept_for_requests_that_come_in_pieces(server: _Server) -> None:
    with closing(server.open()) as connection:
        for body in (b"one", b"two", b"x" * 500_000):
            request = _post(body)
            for start in range(0, len(request), 40_000):
                connection.sendall(request[start : start + 40_000])
            assert _answer(connection, len(body)) == (200, body)


def test_two_requests_in_one_piece_are_both_answered(server: _Server) -> None:
    with closing(server.open()) as connection, connection.makefile("rb") as file:
        connection.sendall(_post(b"one") + _post(b"two", "Connection: close"))
        assert [line for line in file.read().split(b"\r\n") if line.startswith((b"one", b"two"))] == [b"oneHTTP/1.1 200 OK", b"two"]


@pytest.mark.parametrize("expects", ["Expect: 100-continue", "expect:  100-Continue "])
def test_more_senders_that_wait_for_leave_than_threads_keep_nobody_waiting(server: _Server, expects: str) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(server.open())) for _ in range(2 * _THREADS)]
        for connection in slow:
            connection.sendall(_post(b"body", expects)[:-4])
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(_post(b"quick"))
        assert _answer(quick, 5) == (200, b"quick")
        for connection in slow:
            connection.sendall(b"body")
        assert [_answer(connection, 4) for connection in slow] == [(200, b"body")] * len(slow)


def test_threads_that_read_large_bodies_get_free_again(hasty: _Server) -> None:
    with ExitStack() as stack:
        for _ in range(_THREADS):
            connection = stack.enter_context(closing(hasty.open()))
            connection.sendall(_post(b"x" * 500_000)[:-1])
        quick = stack.enter_context(closing(hasty.open()))
        quick.sendall(_post(b"quick"))
        assert _answer(quick, 5) == (200, b"quick")


@pytest.mark.parametrize("begun", [b"POST / HT", _post(b"body")[:-1], b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo"])
def test_a_request_that_does_not_become_whole_is_a_408(hasty: _Server, begun: bytes) -> None:
    with closing(hasty.open()) as connection:
        connection.sendall(begun)
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert connection.recv(100) == b""


def test_a_connection_without_a_word_is_closed(hasty: _Server) -> None:
    with closing(hasty.open()) as connection:
        assert connection.recv(100) == b""


def test_a_sender_that_goes_away_half_way_is_forgotten(hasty: _Server) -> None:
    for length in (0, 5, len(_post(b"body")) - 1):
        connection = hasty.open()
        connection.sendall(_post(b"body")[:length])
        connection.close()
    with closing(hasty.open()) as connection:
        connection.sendall(_post(b"quick"))
        assert _answer(connection, 5) == (200, b"quick")


def test_senders_that_end_the_connection_and_do_not_go_keep_nobody_waiting(server: _Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):  # each would hold up the loop for two seconds
            connection = stack.enter_context(closing(server.open()))
            connection.sendall(_post(b"body", "Connection: close"))
            assert _answer(connection, 4) == (200, b"body")


def test_a_sender_that_does_not_go_is_cut_off(hasty: _Server) -> None:
    with closing(hasty.open()) as connection:
        connection.sendall(_post(b"body", "Connection: close"))
        assert _answer(connection, 4) == (200, b"body")
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - the first piece tells the other side, the second hears of it
            while True:
                connection.sendall(b"more")


def test_a_stop_finishes_what_was_begun_and_waits_for_nothing_else(tmp_path: Path) -> None:
    server = _Server(tmp_path, 60)
    with closing(server.open()) as begun, closing(server.open()) as silent:
        begun.sendall(_post(b"body")[:-1])
        with closing(server.open()) as later:  # answered after both of the others were taken
            later.sendall(_post(b"x"))
            _answer(later, 1)
        server.process.terminate()
        wait_until(lambda: "Handling signal: term" in (tmp_path / "log").read_text(), "it is stopping")
        begun.sendall(b"y")
        assert _answer(begun, 4) == (200, b"body"[:3] + b"y")
        assert silent.recv(100) == b""
    assert server.process.wait(timeout=60) == 0
