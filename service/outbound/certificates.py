"""With which certificate did Amazon SNS sign?"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock
from typing import Any

from service.model.errors import RemoteUnavailableError
from service.outbound.fetch import Fetcher
from service.outbound.sns import check_certificate_url

_LIMIT_BYTES = 20_000
_KEEP_SECONDS = 6 * 3_600.0
_KEEP_STALE_SECONDS = 300.0  # one that cannot be fetched anew goes on for as long, again and again: its own dates end it
_KEEP_FAILURE_SECONDS = 5.0
_KEEP_MAX = 64
_FETCHES_MAX = 4  # slow answers must not hold every thread of the web
_WAIT_SECONDS = 10.0
_PEM = b"-----BEGIN CERTIFICATE-----"


class CertificateStore:
    """Fetches certificates, each once however many threads want it, and keeps them for hours; a failure for seconds.

    Failures are kept apart, so that addresses which somebody makes up push no certificate out.
    """

    def __init__(self, fetch: Callable[[str], bytes] | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch_pem = fetch or _fetch_pem
        self._clock = clock
        self._lock = Lock()
        self._slots = BoundedSemaphore(_FETCHES_MAX)
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()
        self._flights: dict[str, Future[bytes]] = {}

    @property
    def at_hand(self) -> Mapping[str, bytes]:
        """PEM by address of those that need no fetching now; it follows what is kept."""
        return _AtHand(self)

    def load(self, url: str) -> bytes:
        """The PEM at this address; raises RemoteUnavailableError. May be called by many threads at once."""
        check_certificate_url(url)
        pem = self.find(url)
        if pem is not None:
            return pem
        with self._lock:
            if self._clock() < self._failed.get(url, 0.0):
                raise RemoteUnavailableError("This certificate could not be fetched a moment ago. It will be tried again.")
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
        with self._lock:
            until, pem = self._kept.get(url, (0.0, None))
            return pem if self._clock() < until else None

    def urls(self) -> tuple[str, ...]:
        """Addresses of what is kept."""
        with self._lock:
            return tuple(self._kept)

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
        try:
            pem = self._fetch_in_turn(url)
        except RemoteUnavailableError:
            with self._lock:
                _, stale = self._kept.get(url, (0.0, None))
            if stale is None:
                raise
            self._keep(url, stale, _KEEP_STALE_SECONDS)
            return stale
        self._keep(url, pem, _KEEP_SECONDS)
        return pem

    def _fetch_in_turn(self, url: str) -> bytes:
        if not self._slots.acquire(blocking=False):
            raise RemoteUnavailableError("Too many certificates are being fetched. It will be tried again.")
        try:
            return _checked(self._fetch_pem(url))
        except RemoteUnavailableError:
            self._keep_failure(url)
            raise
        finally:
            self._slots.release()

    def _keep(self, url: str, pem: bytes, seconds: float) -> None:
        with self._lock:
            self._failed.pop(url, None)
            self._kept[url] = (self._clock() + seconds, pem)
            self._kept.move_to_end(url)
            _shorten(self._kept)

    def _keep_failure(self, url: str) -> None:
        with self._lock:
            self._failed[url] = self._clock() + _KEEP_FAILURE_SECONDS
            self._failed.move_to_end(url)
            _shorten(self._failed)


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


def _landed(flight: Future[bytes]) -> bytes:
    try:
        return flight.result(timeout=_WAIT_SECONDS)
    except TimeoutError as error:
        raise RemoteUnavailableError("This certificate takes too long to fetch. It will be tried again.") from error


def _shorten(kept: OrderedDict[str, Any]) -> None:
    """Without the oldest, as many as are too many."""
    while len(kept) > _KEEP_MAX:
        kept.popitem(last=False)
