"""Posts as they should not be, to real processes: each gets its answer, and good ones go on being accepted."""

import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self
from urllib.parse import urlsplit

import pytest

from service.store.database import Database
from tests.e2e.posting import Sender, sender
from tests.e2e.serving import Service, serving, wait_until
from tests.faults.load import event_body, load_kept

pytestmark = pytest.mark.enable_socket
_SLOW_CLIENTS = 64  # twice as many as there are threads
_ONE = sender("generic")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("bad-input"), _ONE.config) as running:
        yield running


class _Post:
    """A signed post over a socket of its own, sent as a test wants it."""

    def __init__(self, service: Service, one: Sender, body: bytes, **headers: str) -> None:
        signed = one.signed(service.url, body)
        address = urlsplit(signed.url)
        lines = {**signed.headers, "Host": address.netloc, "Connection": "close", **headers}
        self.head = "\r\n".join((f"POST {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", "")).encode()
        self.socket = socket.create_connection((address.hostname, address.port), timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def status(self) -> int:
        """The status of the answer; 0 where the server closed without one."""
        answer = self.socket.recv(1_000)
        return int(answer.split()[1]) if answer else 0


def _kept(service: Service) -> set[str]:
    database = Database(f"sqlite:///{service.folder}/var/hopp.sqlite")
    try:
        return set(load_kept(database).events)
    finally:
        database.close()


def _assert_kept(service: Service, id_: str) -> None:
    wait_until(lambda: id_ in _kept(service), f"{id_} is kept")


def test_a_post_that_says_gzip_and_is_not_is_a_400(service: Service) -> None:
    assert _ONE.post(service.url, event_body("plain"), headers={"Content-Encoding": "gzip"}) == 400


def test_a_post_in_chunks_is_accepted_and_kept(service: Service) -> None:
    body = event_body("chunked")
    with _Post(service, _ONE, body, **{"Transfer-Encoding": "chunked"}) as post:
        post.send(post.head, *(b"1\r\n%c\r\n" % byte for byte in body), b"0\r\n\r\n")
        assert post.status() == 200
    _assert_kept(service, "chunked")


def test_chunks_that_are_compressed_and_end_in_trailers_are_accepted(service: Service) -> None:
    body = event_body("packed")
    packed = gzip.compress(body)
    with _Post(service, _ONE, body, **{"Transfer-Encoding": "chunked", "Content-Encoding": "gzip"}) as post:
        post.send(post.head, b"%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(packed), packed))
        assert post.status() == 200
    _assert_kept(service, "packed")


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"ff\r\n{}\r\n0\r\n\r\n", b"-1\r\n\r\n"])
def test_broken_chunks_are_refused(service: Service, chunks: bytes) -> None:
    with _Post(service, _ONE, b"{}", **{"Transfer-Encoding": "chunked"}) as post:
        post.send(post.head, chunks)
        post.socket.shutdown(socket.SHUT_WR)
        assert post.status() in {0, 400}


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_body_that_stops_half_way_is_not_kept(service: Service, large: bool) -> None:  # noqa: FBT001 - named by its id
    body = event_body(f"half-{large}") + b" " * (600_000 if large else 0)
    with _Post(service, _ONE, body, **{"Content-Length": str(len(body) + 1)}) as post:
        post.send(post.head, body)
        post.socket.shutdown(socket.SHUT_WR)
        assert post.status() in {0, 400}
    last = f"after-half-{large}"
    assert _ONE.post(service.url, event_body(last)) == 200
    _assert_kept(service, last)
    assert f"half-{large}" not in _kept(service)


def test_good_posts_pass_by_64_slow_ones_which_are_accepted_in_the_end(service: Service) -> None:
    with ExitStack() as stack:
        bodies = [event_body(f"slow-{number}") for number in range(_SLOW_CLIENTS)]
        posts = [stack.enter_context(_Post(service, _ONE, body, **{"Content-Length": str(len(body))})) for body in bodies]
        wholes = [post.head + body for post, body in zip(posts, bodies, strict=True)]
        sent = [len(post.head) // 2 if number % 2 else len(post.head) + 5 for number, post in enumerate(posts)]
        for post, whole, length in zip(posts, wholes, sent, strict=True):
            post.send(whole[:length])
        assert [_ONE.post(service.url, event_body(f"quick-{number}")) for number in range(20)] == [200] * 20
        for post, whole, length in zip(posts, wholes, sent, strict=True):
            post.send(whole[length:])
        assert [post.status() for post in posts] == [200] * _SLOW_CLIENTS
    _assert_kept(service, f"slow-{_SLOW_CLIENTS - 1}")
