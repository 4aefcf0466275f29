"""Does a fetch reach only what it may, and end in time and size?"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.model.errors import RemoteUnavailableError
from service.outbound.fetch import Fetcher, is_public, resolve_host

HOST = "sns.eu-west-1.amazonaws.com"
URL = f"https://{HOST}/cert.pem"


class _Handler(BaseHTTPRequestHandler):
    """Answers by path; `/slow` drips until the test is over."""

    protocol_version = "HTTP/1.1"
    over = Event()

    def do_GET(self) -> None:
        answers = {"/cert.pem": (200, b"PEM"), "/big": (200, b"x" * 50_000), "/none": (404, b""), "/moved": (302, b"")}
        if self.path == "/slow":
            self._drip()
            return
        status, body = answers.get(self.path, (200, self.path.encode() + str(self.headers["Host"]).encode()))
        self.send_response(status)
        self.send_header("Location", "/cert.pem")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.over.wait(0.02):
            self.wfile.write(b"x")

    def log_message(self, *_parts: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Says nothing about clients that go away."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gives up is what the tests are about."""


def _make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return pem, private


@contextmanager
def _server(folder: Path, host: str = HOST) -> Iterator[Fetcher]:
    """A fetcher for which the host lies on this machine."""
    pem, private = _make_certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    _Handler.over.clear()
    yield Fetcher(
        resolve=lambda _host: ["127.0.0.1"],
        may_connect=lambda _address: True,
        port=server.server_port,
        ca_file=str(pem),
        timeout_seconds=0.5,
    )
    _Handler.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    """A fetcher whose host is a real HTTPS server here."""
    with _server(tmp_path) as made:
        yield made


def test_a_body_is_fetched_under_the_hosts_own_name(fetcher: Fetcher) -> None:
    assert fetcher.get(URL, limit_bytes=100) == b"PEM"
    assert fetcher.get(f"https://{HOST}/?Action=x", limit_bytes=100) == f"/?Action=x{HOST}".encode()


@pytest.mark.parametrize("path", ["/big", "/none", "/moved", "/slow"])
def test_what_is_too_big_missing_elsewhere_or_slow_is_given_up(fetcher: Fetcher, path: str) -> None:
    with pytest.raises(RemoteUnavailableError):
        fetcher.get(f"https://{HOST}{path}", limit_bytes=20_000)


def test_a_certificate_of_another_host_is_not_believed(tmp_path: Path) -> None:
    with _server(tmp_path, "elsewhere.example") as fetcher, pytest.raises(RemoteUnavailableError):
        fetcher.get(URL, limit_bytes=100)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    fetcher = Fetcher(resolve=lambda _host: ["127.0.0.1"], may_connect=lambda _address: True, port=1, timeout_seconds=0.5)
    with pytest.raises(RemoteUnavailableError, match="does not answer"):
        fetcher.get(URL, limit_bytes=100)


@pytest.mark.parametrize("addresses", [[], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:10.0.0.1"]])
def test_a_host_that_is_not_on_the_public_internet_is_not_called(addresses: list[str]) -> None:
    with pytest.raises(RemoteUnavailableError, match="not on the public internet"):
        Fetcher(resolve=lambda _host: addresses).get(URL, limit_bytes=100)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2600:1f00::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse, not to listen on
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::1", False),
        ("nonsense", False),
    ],
)
def test_only_public_addresses_may_be_connected_to(address: str, public: bool) -> None:  # noqa: FBT001 - the expected answer
    assert is_public(address) is public


def test_this_machine_resolves_and_nonsense_does_not() -> None:
    assert "127.0.0.1" in resolve_host("127.0.0.1")
    for host in ("", "x" * 70 + ".example", "a..b"):
        with pytest.raises(RemoteUnavailableError):
            Fetcher().get(f"https://{host}/", limit_bytes=1)
