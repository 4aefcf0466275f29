"""How is one small thing fetched from a host that a webhook names, without reaching where it must not?

HTTPS to a public address only. The address is looked up once, checked, and connected to as it was checked, so that a name
that answers differently the second time gains nothing. No redirect is followed.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from service.model.errors import RemoteUnavailableError

_CHUNK_BYTES = 8_192
_STATUS_OK = 200
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def resolve_host(host: str) -> Sequence[str]:
    """The addresses of a host, as the system's resolver gives them."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RemoteUnavailableError(f"{host}: there is no address for this name. Check the resolver of this machine.") from error
    return tuple(dict.fromkeys(str(address[0]) for *_rest, address in found))


def is_public(address: str) -> bool:
    """False for loopback, private, link-local and every other address that is not of the public internet."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    inner = _embedded(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    return all(part.is_global and not part.is_multicast for part in (parsed, inner) if part is not None)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway makes of this one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


class Fetcher:
    """GET over HTTPS with a time-out and a size limit. Thread-safe: it keeps nothing between two calls."""

    def __init__(
        self,
        *,
        resolve: Callable[[str], Sequence[str]] = resolve_host,
        may_connect: Callable[[str], bool] = is_public,
        port: int = 443,
        ca_file: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._resolve = resolve
        self._may_connect = may_connect
        self._port = port
        self._ca_file = ca_file
        self._timeout_seconds = timeout_seconds

    def get(self, url: str, *, limit_bytes: int) -> bytes:
        """The body of a 200 answer; raises RemoteUnavailableError, whose text names the host and never the query."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = self._checked_address(host)
        deadline = time.monotonic() + self._timeout_seconds
        pool = urllib3.HTTPSConnectionPool(
            address,
            self._port,
            timeout=self._timeout_seconds,
            retries=False,
            server_hostname=host,
            assert_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._ca_file,
        )
        with pool:
            try:
                return _read(pool, parts, host, limit_bytes, deadline)
            except HTTPError as error:
                raise RemoteUnavailableError(f"{host} does not answer ({type(error).__name__}). It will be tried again.") from error

    def _checked_address(self, host: str) -> str:
        addresses = self._resolve(host)
        if not addresses or not all(self._may_connect(address) for address in addresses):
            raise RemoteUnavailableError(f"{host} is not on the public internet, so it is not called. Check who posts this address.")
        return addresses[0]


def _read(pool: urllib3.HTTPSConnectionPool, parts: SplitResult, host: str, limit_bytes: int, deadline: float) -> bytes:
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    response = pool.urlopen(
        "GET", target, headers={"Host": host, "User-Agent": "Hopp"}, redirect=False, preload_content=False, decode_content=False
    )
    try:
        if response.status != _STATUS_OK:
            raise RemoteUnavailableError(f"{host} answers {response.status} instead of {_STATUS_OK}.")
        body = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > limit_bytes:
                raise RemoteUnavailableError(f"{host} sends more than {limit_bytes} bytes.")
            if time.monotonic() > deadline:
                raise RemoteUnavailableError(f"{host} sends too slowly.")
        return bytes(body)
    finally:
        response.close()
