"""With which certificate did Amazon SNS sign?"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock

from service.model.errors import RemoteUnavailableError
from service.outbound.fetch import Fetcher
from service.outbound.sns import check_certificate_url

_LIMIT_BYTES = 20_000
_KEEP_SECONDS = 6 * 3_600.0
_KEEP_FAILURE_SECONDS = 5.0
_KEEP_MAX = 64
_FETCHES_MAX = 4  # slow answers must not hold every thread of the web
_WAIT_SECONDS = 10.0
_PEM = b"-----BEGIN CERTIFICATE-----"


class CertificateStore:
    """Fetches certificates, each once however many threads want it, and keeps them for hours; a failure for seconds."""

    def __init__(self, fetch: Callable[[str], bytes] | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch_pem = fetch or _fetch_pem
        self._clock = clock
        self._lock = Lock()
        self._slots = BoundedSemaphore(_FETCHES_MAX)
        self._kept: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._flights: dict[str, Future[bytes]] = {}

    @property
    def at_hand(self) -> Mapping[str, bytes]:
        """PEM by address of those that need no fetching now; it follows what is kept."""
        return _AtHand(self)

    def load(self, url: str) -> bytes:
        """The PEM at this address; raises RemoteUnavailableError. May be called by many threads at once."""
        check_certificate_url(url)
        is_known, pem = self._find(url)
        if is_known:
            return _present(pem)
        with self._lock:
            flight = self._flights.get(url)
            is_first = flight is None
            if flight is None:
                flight = self._flights[url] = Future()
        if not is_first:
            return _landed(flight)
        self._fly(url, flight)
        return flight.result(timeout=0)

    def find(self, url: str) -> bytes | None:
        """The certificate, where it is kept and still fresh."""
        return self._find(url)[1]

    def urls(self) -> tuple[str, ...]:
        """Addresses of what is kept."""
        with self._lock:
            return tuple(self._kept)

    def _find(self, url: str) -> tuple[bool, bytes | None]:
        with self._lock:
            until, pem = self._kept.get(url, (0.0, None))
            return (True, pem) if self._clock() < until else (False, None)

    def _fly(self, url: str, flight: Future[bytes]) -> None:
        try:
            flight.set_result(self._fetch(url))
        except BaseException as error:
            flight.set_exception(error)  # those who wait must not wait for ever, whatever it was
            raise
        finally:
            with self._lock:
                self._flights.pop(url, None)

    def _fetch(self, url: str) -> bytes:
        if not self._slots.acquire(blocking=False):
            raise RemoteUnavailableError("Too many certificates are being fetched. It will be tried again.")
        try:
            pem = _checked(self._fetch_pem(url))
        except RemoteUnavailableError:
            self._keep(url, None, _KEEP_FAILURE_SECONDS)
            raise
        finally:
            self._slots.release()
        self._keep(url, pem, _KEEP_SECONDS)
        return pem

    def _keep(self, url: str, pem: bytes | None, seconds: float) -> None:
        with self._lock:
            self._kept[url] = (self._clock() + seconds, pem)
            self._kept.move_to_end(url)
            while len(self._kept) > _KEEP_MAX:
                self._kept.popitem(last=False)


class _AtHand(Mapping[str, bytes]):
    """What a store keeps right now."""

    def __init__(self, store: CertificateStore) -> None:
        self._store = store

    def __getitem__(self, url: str) -> bytes:
        pem = self._store.find(url)
        if pem is None:
            raise KeyError(url)
        return pem

    def __iter__(self) -> Iterator[str]:
        return (url for url in self._store.urls() if self._store.find(url) is not None)

    def __len__(self) -> int:
        return sum(1 for _url in self)


def _fetch_pem(url: str) -> bytes:
    return Fetcher().get(url, limit_bytes=_LIMIT_BYTES)


def _checked(pem: bytes) -> bytes:
    if _PEM not in pem:
        raise RemoteUnavailableError("What was fetched is no certificate.")
    return pem


def _present(pem: bytes | None) -> bytes:
    if pem is None:
        raise RemoteUnavailableError("This certificate could not be fetched a moment ago. It will be tried again.")
    return pem


def _landed(flight: Future[bytes]) -> bytes:
    try:
        return flight.result(timeout=_WAIT_SECONDS)
    except TimeoutError as error:
        raise RemoteUnavailableError("This certificate takes too long to fetch. It will be tried again.") from error
