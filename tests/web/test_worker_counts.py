"""Does the worker keep count of its connections, and live on, whatever happens to them?"""

import os
import selectors
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from errno import EMFILE
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gunicorn.config import Config  # type: ignore[import-untyped]  # it ships no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # the same

from service.web.answers import Answer
from service.web.gate import Gate
from service.web.plain import PlainHead
from service.web.worker import GatheringWorker
from tests.e2e.serving import wait_until
from tests.web.echo import Server, answer, post

pytestmark = pytest.mark.enable_socket


def _write_certificate(folder: Path) -> None:
    """A certificate for hopp.example that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hopp.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hopp.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def test_more_connections_than_files_cut_none_of_those_that_are_there(tmp_path: Path) -> None:
    server = Server(tmp_path, 60, "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n")
    try:
        with closing(server.open()) as kept:
            kept.sendall(post(b"before"))
            assert answer(kept, 6) == (200, b"before")
            with ExitStack() as stack:
                for _ in range(100):
                    stack.enter_context(closing(server.open()))
                wait_until(lambda: "connections_exhausted" in (tmp_path / "log").read_text(), "it is said")
                kept.sendall(post(b"kept"))
                assert answer(kept, 4) == (200, b"kept")
            with closing(server.open()) as later:
                later.sendall(post(b"later"))
                assert answer(later, 5) == (200, b"later")
    finally:
        server.stop()


def test_with_tls_gunicorn_reads_and_a_silent_connection_ends(tmp_path: Path) -> None:
    _write_certificate(tmp_path)
    more = "from gunicorn.workers import gthread\ngthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.1\nkeepalive = 1\ncertfile = keyfile = 'pem'\n"
    server = Server(tmp_path, 60, more)
    try:
        with closing(server.open()) as silent:
            assert silent.recv(100) == b""
        trusting = ssl.create_default_context(cafile=tmp_path / "pem")
        with closing(trusting.wrap_socket(server.open(), server_hostname="hopp.example")) as connection:
            connection.sendall(post(b"body"))
            assert answer(connection, 4) == (200, b"body")
        assert (tmp_path / "log").read_text().count("Booting worker") == 1
    finally:
        server.stop()


class _Receiver:
    """Keeps what the gate hands in until a test answers it."""

    sources = ("acme",)

    def __init__(self) -> None:
        self.waiting: list[Callable[[Answer], None]] = []

    def begin(self, _source: str, _head: PlainHead, _body: bytes, _remote: str, answered: Callable[[Answer], None]) -> bool:
        self.waiting.append(answered)
        return True


class _Loop(GatheringWorker):
    """A worker whose loop a test turns by hand."""

    def __init__(self) -> None:
        config = Config()
        self.listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(0, os.getppid(), [self.listener], None, 30, config, Logger(config))
        self.tpool = self.get_thread_pool()
        self.poller = selectors.DefaultSelector()
        self.method_queue.init()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(enabled=True)
        self.receiver = _Receiver()
        self._gate = Gate(self.receiver, lambda _environ, _start: ())  # type: ignore[arg-type]  # nothing else of it is asked

    def turn_until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(100):
            if is_so():
                return
            self.wait_for_and_dispatch_events(0.3)
        raise AssertionError

    def close(self) -> None:
        self.poller.close()
        self.method_queue.close()
        self.tpool.shutdown()
        self.listener.close()
        self.tmp.close()


@pytest.mark.parametrize("ending", [b"", b"Connection: close\r\n"])
def test_a_sender_that_goes_while_its_answer_is_sent_is_counted_out_once(ending: bytes) -> None:
    with closing(_Loop()) as loop:
        connection = socket.create_connection(loop.listener.getsockname())
        loop.turn_until(lambda: loop.nr_conns == 1)
        connection.sendall(b"POST /webhooks/acme HTTP/1.1\r\nHost: x\r\n" + ending + b"Content-Length: 1\r\n\r\nx")
        loop.turn_until(lambda: bool(loop.receiver.waiting))
        loop.wait_for_and_dispatch_events(0)  # nothing: from here on things are told in their order
        loop.receiver.waiting[0](Answer(status=200))
        connection.shutdown(socket.SHUT_WR)  # the loop hears of both at once
        loop.turn_until(lambda: loop.nr_conns == 0)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.close()
        assert len(loop.poller.get_map()) == 2  # the listener, and the queue of gunicorn's own


def test_as_many_connections_as_before_are_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.web.worker.FEWER_SECONDS", 0)
    with closing(_Loop()) as loop:
        before = loop.worker_connections
        loop.nr_conns = 50
        loop._take_fewer(OSError(EMFILE, "Too many open files"))
        assert loop.worker_connections == 45
        loop.murder_pending()
        assert loop.worker_connections == before
