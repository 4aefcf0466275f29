"""Does the worker give a thread to whole requests only, and an end to those that never become whole?"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.serving import wait_until
from tests.web.echo import CHUNKED, THREADS, Server, answer, post

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("patient"), 60)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for no request longer than half a second."""
    running = Server(tmp_path_factory.mktemp("hasty"), 0.5)
    yield running
    running.stop()


def test_more_half_requests_than_threads_keep_nobody_waiting(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(server.open())) for _ in range(5 * THREADS)]
        for number, connection in enumerate(slow):
            connection.sendall(post(b"body")[: 10 if number % 2 else -1])
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(post(b"quick"))
        assert answer(quick, 5) == (200, b"quick")
        for number, connection in enumerate(slow):
            connection.sendall(post(b"body")[10 if number % 2 else -1 :])
        assert [answer(connection, 4) for connection in slow] == [(200, b"body")] * len(slow)


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(post(b"one") + post(b"two")[:-1], id="behind another one"),
        pytest.param(CHUNKED + b"6\r\nab\r\n\r\n", id="that looks as if it had ended"),
    ],
)
def test_a_request_that_is_not_whole_has_no_thread(server: Server, begun: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(closing(server.open())).sendall(begun)
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(post(b"quick"))
        assert answer(quick, 5) == (200, b"quick")


def test_large_requests_never_have_all_threads(server: Server) -> None:
    with ExitStack() as stack:
        large = [stack.enter_context(closing(server.open())) for _ in range(3 * THREADS)]
        for connection in large:
            connection.sendall(post(b"x" * 300_000)[:-1])
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(post(b"quick"))
        assert answer(quick, 5) == (200, b"quick")
        for connection in large:
            connection.sendall(b"x")
        assert [answer(connection, 300_000)[0] for connection in large] == [200] * len(large)


@pytest.mark.parametrize(
    "chunks",
    [
        b"3\r\none\r\n0\r\n\r\n",
        b"1\r\no\r\n02;name=value\r\nne\r\n0\r\n\r\n",
        b"3\r\none\r\n0\r\nX-Trailer: x\r\n\r\n",
    ],
)
def test_what_comes_behind_chunks_is_answered(server: Server, chunks: bytes) -> None:
    sent = CHUNKED + chunks + post(b"two")
    for size in (1, len(sent)):
        with closing(server.open()) as connection, connection.makefile("rb") as file:
            for start in range(0, len(sent), size):
                connection.sendall(sent[start : start + size])
            for body in (b"one", b"two"):
                assert int(file.readline().split()[1]) == 200
                while file.readline().strip():
                    pass
                assert file.read(3) == body


@pytest.mark.parametrize("chunks", [b"x\r\n", b"-1\r\n", b"+1\r\no\r\n"])
def test_broken_chunks_are_refused_at_once(server: Server, chunks: bytes) -> None:
    with closing(server.open()) as connection:
        connection.sendall(CHUNKED + chunks)
        assert connection.recv(100).startswith(b"HTTP/1.1 ")


def test_a_connection_is_kept_for_requests_that_come_in_pieces(server: Server) -> None:
    with closing(server.open()) as connection:
        for body in (b"one", b"two", b"x" * 500_000):
            request = post(body)
            for start in range(0, len(request), 40_000):
                connection.sendall(request[start : start + 40_000])
            assert answer(connection, len(body)) == (200, body)


def test_two_requests_in_one_piece_are_both_answered(server: Server) -> None:
    with closing(server.open()) as connection, connection.makefile("rb") as file:
        connection.sendall(post(b"one") + post(b"two", "Connection: close"))
        assert [line for line in file.read().split(b"\r\n") if line.startswith((b"one", b"two"))] == [b"oneHTTP/1.1 200 OK", b"two"]


@pytest.mark.parametrize("expects", ["Expect: 100-continue", "expect:  100-Continue "])
def test_more_senders_that_wait_for_leave_than_threads_keep_nobody_waiting(server: Server, expects: str) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(server.open())) for _ in range(2 * THREADS)]
        for connection in slow:
            connection.sendall(post(b"body", expects)[:-4])
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        quick = stack.enter_context(closing(server.open()))
        quick.sendall(post(b"quick"))
        assert answer(quick, 5) == (200, b"quick")
        for connection in slow:
            connection.sendall(b"body")
        assert [answer(connection, 4) for connection in slow] == [(200, b"body")] * len(slow)


def test_threads_that_read_large_bodies_get_free_again(hasty: Server) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS):
            connection = stack.enter_context(closing(hasty.open()))
            connection.sendall(post(b"x" * 500_000)[:-1])
        quick = stack.enter_context(closing(hasty.open()))
        quick.sendall(post(b"quick"))
        assert answer(quick, 5) == (200, b"quick")


def test_a_sender_that_does_not_read_its_answer_lets_the_thread_go(hasty: Server) -> None:
    body = b"x" * 8_000_000
    with ExitStack() as stack:
        for _ in range(THREADS):
            connection = stack.enter_context(closing(hasty.open()))
            connection.sendall(post(body))
        last = stack.enter_context(closing(hasty.open()))
        last.sendall(post(b"x" * 300_000))
        assert answer(last, 300_000)[0] == 200


@pytest.mark.parametrize("begun", [b"POST / HT", post(b"body")[:-1], b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo"])
def test_a_request_that_does_not_become_whole_is_a_408(hasty: Server, begun: bytes) -> None:
    with closing(hasty.open()) as connection:
        connection.sendall(begun)
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert connection.recv(100) == b""


def test_a_connection_without_a_word_is_closed(hasty: Server) -> None:
    with closing(hasty.open()) as connection:
        assert connection.recv(100) == b""


def test_a_sender_that_goes_away_half_way_is_forgotten(hasty: Server) -> None:
    for length in (0, 5, len(post(b"body")) - 1):
        connection = hasty.open()
        connection.sendall(post(b"body")[:length])
        connection.close()
    with closing(hasty.open()) as connection:
        connection.sendall(post(b"quick"))
        assert answer(connection, 5) == (200, b"quick")


def test_senders_that_end_the_connection_and_do_not_go_keep_nobody_waiting(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):  # each would hold up the loop for two seconds
            connection = stack.enter_context(closing(server.open()))
            connection.sendall(post(b"body", "Connection: close"))
            assert answer(connection, 4) == (200, b"body")


def test_a_sender_that_does_not_go_is_cut_off(hasty: Server) -> None:
    with closing(hasty.open()) as connection:
        connection.sendall(post(b"body", "Connection: close"))
        assert answer(connection, 4) == (200, b"body")
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - the first piece tells the other side, the second hears of it
            while True:
                connection.sendall(b"more")


def test_a_stop_finishes_what_was_begun_and_waits_for_nothing_else(tmp_path: Path) -> None:
    server = Server(tmp_path, 60)
    with closing(server.open()) as begun, closing(server.open()) as silent:
        begun.sendall(post(b"body")[:-1])
        with closing(server.open()) as later:  # answered after both of the others were taken
            later.sendall(post(b"x"))
            answer(later, 1)
        server.process.terminate()
        wait_until(lambda: "Handling signal: term" in (tmp_path / "log").read_text(), "it is stopping")
        begun.sendall(b"y")
        assert answer(begun, 4) == (200, b"body"[:3] + b"y")
        assert silent.recv(100) == b""
    assert server.process.wait(timeout=60) == 0
