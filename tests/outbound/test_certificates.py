"""Is a certificate fetched once, kept for a while, and from nowhere but Amazon?"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from service.model.errors import RemoteUnavailableError
from service.outbound.certificates import CertificateStore
from service.outbound.fetch import Fetcher
from service.outbound.subscriptions import confirm

HOST = "https://sns.eu-west-1.amazonaws.com"
URL = f"{HOST}/SimpleNotificationService-0123.pem"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:000000000000:hopp&Token=abc"
PEM = b"-----BEGIN CERTIFICATE-----\n"


class Remote:
    """Stands for Amazon: counts calls, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer: Callable[[], bytes] = lambda: PEM

    def fetch(self, url: str) -> bytes:
        self.calls.append(url)
        return self.answer()


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def remote() -> Remote:
    """A remote that answers."""
    return Remote()


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def store(remote: Remote, clock: Clock) -> CertificateStore:
    """An empty store."""
    return CertificateStore(remote.fetch, clock=clock)


def _fail() -> bytes:
    raise RemoteUnavailableError("no answer")


def test_a_certificate_is_kept_for_hours_and_then_fetched_again(store: CertificateStore, remote: Remote, clock: Clock) -> None:
    assert [store.load(URL) for _ in range(3)] == [PEM] * 3
    assert (len(remote.calls), dict(store.at_hand)) == (1, {URL: PEM})
    clock.seconds = 7 * 3_600
    assert (dict(store.at_hand), len(store.at_hand)) == ({}, 0)
    store.load(URL)
    assert len(remote.calls) == 2


def test_a_failure_is_kept_for_seconds(store: CertificateStore, remote: Remote, clock: Clock) -> None:
    remote.answer = _fail
    for _ in range(3):
        with pytest.raises(RemoteUnavailableError):
            store.load(URL)
    assert len(remote.calls) == 1
    assert URL not in store.at_hand
    remote.answer = lambda: PEM
    clock.seconds = 6
    assert store.load(URL) == PEM


def test_what_is_no_certificate_is_not_kept(store: CertificateStore, remote: Remote) -> None:
    remote.answer = lambda: b"<html>"
    with pytest.raises(RemoteUnavailableError):
        store.load(URL)
    assert dict(store.at_hand) == {}


def test_many_addresses_do_not_fill_the_memory(store: CertificateStore) -> None:
    for number in range(200):
        store.load(f"{HOST}/{number}.pem")
    assert len(store.at_hand) == 64


def test_addresses_that_fail_push_no_certificate_out(store: CertificateStore, remote: Remote) -> None:
    store.load(URL)
    remote.answer = _fail
    for number in range(200):
        with pytest.raises(RemoteUnavailableError):
            store.load(f"{HOST}/{number}.pem")
    assert dict(store.at_hand) == {URL: PEM}
    with pytest.raises(RemoteUnavailableError, match="a moment ago"):
        store.load(f"{HOST}/199.pem")
    assert len(store._failed) == 64


def test_a_certificate_that_cannot_be_fetched_anew_goes_on(store: CertificateStore, remote: Remote, clock: Clock) -> None:
    store.load(URL)
    remote.answer, clock.seconds = _fail, 7 * 3_600
    assert [store.load(URL) for _ in range(3)] == [PEM] * 3
    assert len(remote.calls) == 2
    clock.seconds += 301
    store.load(URL)
    assert len(remote.calls) == 3


def test_many_threads_share_one_fetch(store: CertificateStore, remote: Remote) -> None:
    """However slow Amazon is: nobody else asks it for the same meanwhile."""
    together, arrived = Barrier(8), Event()

    def slow() -> bytes:
        arrived.wait(5)
        return PEM

    remote.answer = slow

    def load() -> bytes:
        together.wait(5)
        return store.load(URL)

    with ThreadPoolExecutor(8) as pool:
        loads = [pool.submit(load) for _ in range(8)]
        arrived.set()
        assert [found.result(5) for found in loads] == [PEM] * 8
    assert len(remote.calls) == 1


def test_slow_fetches_do_not_take_every_thread(store: CertificateStore, remote: Remote) -> None:
    inside, release = Barrier(5), Event()

    def stuck() -> bytes:
        inside.wait(5)
        release.wait(5)
        return PEM

    remote.answer = stuck
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(store.load, f"{HOST}/{number}.pem") for number in range(4)]
        inside.wait(5)
        with pytest.raises(RemoteUnavailableError, match="Too many"):
            store.load(f"{HOST}/5.pem")
        release.set()
        assert [found.result(5) for found in loads] == [PEM] * 4


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://u:p@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/a.pem#x",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem\r\nX: y",
        "https://sns.eu-west-1.amazonaws.com/" + "a" * 3_000 + ".pem",
        "https://[::1/a.pem",
        "https://sns.ü.amazonaws.com/a.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_no_certificate_is_fetched_from_elsewhere(store: CertificateStore, remote: Remote, url: str) -> None:
    with pytest.raises(RemoteUnavailableError):
        store.load(url)
    assert remote.calls == []


def test_the_fetch_of_its_own_goes_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.outbound.fetch.socket.getaddrinfo", lambda *_args, **_named: [(2, 1, 6, "", ("127.0.0.1", 0))])
    with pytest.raises(RemoteUnavailableError):
        CertificateStore().load(URL)


def test_who_waits_for_another_threads_fetch_does_not_wait_for_ever(store: CertificateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.outbound.certificates._WAIT_SECONDS", 0.0)
    store._flights[URL] = Future()
    with pytest.raises(RemoteUnavailableError, match="too long"):
        store.load(URL)


class _Called(Fetcher):
    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def get(self, url: str, *, limit_bytes: int) -> bytes:
        self.urls.append(url)
        return b"<ConfirmSubscriptionResponse/>"


def test_a_subscription_is_confirmed_by_one_call() -> None:
    fetcher = _Called()
    confirm(CONFIRM, fetcher)
    assert fetcher.urls == [CONFIRM]


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/?Action=Unsubscribe",
        f"{HOST}/",
        CONFIRM.replace("amazonaws.com", "evil.example"),
        CONFIRM.replace("https", "http"),
        f"{CONFIRM}#x",
    ],
)
def test_nothing_else_is_confirmed(url: str) -> None:
    fetcher = _Called()
    with pytest.raises(RemoteUnavailableError) as raised:
        confirm(url, fetcher)
    assert fetcher.urls == []
    assert "Token" not in str(raised.value)
