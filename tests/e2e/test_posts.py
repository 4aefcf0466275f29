"""Plain posts to real processes: the loop takes them in, and each gets its own answer once it is kept, whatever else goes on."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import urllib3

from service.store.database import Database
from tests.e2e.posting import Sender, sender
from tests.e2e.serving import Service, serving, wait_until
from tests.faults.load import event_body, load_kept

pytestmark = pytest.mark.enable_socket
_ONE = sender("generic")
_MANY = 40


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("posts"), _ONE.config, HOPP_WEB_THREADS="1") as running:
        yield running


def _request(service: Service, id_: str, *, one: Sender = _ONE, headers: str = "") -> bytes:
    signed = one.signed(service.url, event_body(id_))
    address = urlsplit(signed.url)
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n{fields}{headers}Content-Length: {len(signed.body)}\r\n\r\n"
    return head.encode() + signed.body


def _wrong(service: Service) -> bytes:
    """A post whose signature does not fit its body."""
    return _request(service, "wrong").replace(b"\r\n\r\n{", b"\r\n\r\n[")


class _Connection:
    """A connection that a test reads answers from."""

    def __init__(self, service: Service) -> None:
        address = urlsplit(service.url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=30)
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers["content-length"]))

    def is_ended(self) -> bool:
        return self._file.read(1) == b""


@contextmanager
def _locked_inbox(service: Service) -> Iterator[None]:
    """Nothing can be kept until the block ends."""
    with closing(sqlite3.connect(service.folder / "var" / "hopp-inbox.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def _kept(folder: Path) -> set[str]:
    database = Database(f"sqlite:///{folder}/var/hopp.sqlite")
    try:
        return set(load_kept(database).events)
    finally:
        database.close()


def test_many_connections_get_their_own_answers_again_and_again(service: Service) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(_Connection(service))) for _ in range(_MANY)]
        ids = set()
        for number in range(3):
            for place, connection in enumerate(connections):
                connection.socket.sendall(_request(service, f"many-{number}-{place}"))
            answers = [connection.answer() for connection in connections]
            assert {(status, headers["connection"]) for status, headers, _ in answers} == {(200, "keep-alive")}
            ids |= {orjson.loads(body)["id"] for *_, body in answers}
    assert len(ids) == 3 * _MANY
    wait_until(lambda: sum(id_.startswith("many-") for id_ in _kept(service.folder)) == 3 * _MANY, "all are kept")


def test_a_post_may_come_byte_by_byte(service: Service) -> None:
    with closing(_Connection(service)) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _request(service, "slow"):
            connection.socket.sendall(bytes([byte]))
        assert connection.answer()[0] == 200


def test_a_proxy_may_speak_the_older_version(service: Service) -> None:
    with closing(_Connection(service)) as connection:
        connection.socket.sendall(_request(service, "older").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        status, headers, _ = connection.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert connection.is_ended()
    wait_until(lambda: "older" in _kept(service.folder), "it is kept")


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_posts_that_do_not_wait_for_answers_are_answered_in_their_order(service: Service, parts: int) -> None:
    sent = (
        _request(service, "first")
        + _wrong(service)
        + _request(service, "third")
        + _request(service, "last", headers="Connection: close\r\n")
    )
    size = len(sent) // parts + 1
    with closing(_Connection(service)) as connection:
        for start in range(0, len(sent), size):
            connection.socket.sendall(sent[start : start + size])
        assert [connection.answer()[0] for _ in range(4)] == [200, 401, 200, 200]
        assert connection.is_ended()


def test_while_the_inbox_is_locked_all_else_is_served_and_nothing_is_answered_before_it_is_kept(service: Service) -> None:
    with ExitStack() as stack:
        posts = [stack.enter_context(closing(_Connection(service))) for _ in range(_MANY)]
        with _locked_inbox(service):
            for place, post in enumerate(posts):
                post.socket.sendall(_request(service, f"locked-{place}"))
            assert urllib3.request("GET", f"{service.url}/healthz", timeout=30).status == 200
            with closing(_Connection(service)) as refused:
                refused.socket.sendall(_wrong(service))
                assert refused.answer()[0] == 401
            for post in posts:
                post.socket.settimeout(0)
                with pytest.raises(BlockingIOError):
                    post.socket.recv(1)
                post.socket.settimeout(30)
        assert [post.answer()[0] for post in posts] == [200] * _MANY


def test_what_comes_before_the_answer_to_what_came_before_is_answered_after_it(service: Service) -> None:
    with closing(_Connection(service)) as connection:
        with _locked_inbox(service):
            connection.socket.sendall(_request(service, "waiting"))
            assert urllib3.request("GET", f"{service.url}/healthz", timeout=30).status == 200
            connection.socket.sendall(_request(service, "impatient"))
            assert urllib3.request("GET", f"{service.url}/healthz", timeout=30).status == 200
        assert [connection.answer()[0] for _ in range(2)] == [200, 200]


def test_a_sender_that_goes_before_its_answer_loses_nothing(service: Service) -> None:
    with _locked_inbox(service), closing(_Connection(service)) as connection:
        connection.socket.sendall(_request(service, "gone"))
        assert urllib3.request("GET", f"{service.url}/healthz", timeout=30).status == 200
    wait_until(lambda: "gone" in _kept(service.folder), "it is kept")
    assert _ONE.post(service.url, event_body("after-gone")) == 200


def test_senders_that_end_the_connection_and_do_not_go_keep_nobody_waiting(service: Service) -> None:
    with ExitStack() as stack:
        for place in range(_MANY):
            connection = stack.enter_context(closing(_Connection(service)))
            connection.socket.sendall(_request(service, f"lingers-{place}", headers="Connection: close\r\n"))
            assert connection.answer()[0] == 200


def test_a_stop_answers_what_waits_to_be_kept(tmp_path: Path) -> None:
    with serving(tmp_path, _ONE.config) as service:
        with closing(_Connection(service)) as waiting, closing(_Connection(service)) as idle:
            for connection in (waiting, idle):
                connection.socket.sendall(_request(service, "before"))
                assert connection.answer()[0] == 200
            with _locked_inbox(service):
                waiting.socket.sendall(_request(service, "kept-at-the-end"))
                service.process.terminate()
                assert idle.is_ended()  # so the stop has come there
            status, headers, _ = waiting.answer()
            assert (status, headers["connection"]) == (200, "close")
            assert waiting.is_ended()
        assert service.process.wait(timeout=60) == 0
        service.restart()
        wait_until(lambda: "kept-at-the-end" in _kept(tmp_path), "it is kept")
