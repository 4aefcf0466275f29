"""What is true of an inbox in a NATS cluster alone: replicas, signs of life, strangers in the stream, and refusals."""

import os
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread

import pytest

from service.inbox import nats, nats_link
from service.inbox.nats import ForeignStreamError, NatsInbox
from service.inbox.nats_link import NatsLink, read_address
from service.model.errors import BodyTooLargeError, InboxUnavailableError
from tests.e2e.serving import free_port, wait_until
from tests.inbox.deliveries import delivery, taken
from tests.nats_cluster import PASSWORD, USER

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def open_nats(nats_url: str) -> Iterator[Callable[..., NatsInbox]]:
    """Opens the same inbox again and again; all are closed afterwards."""
    opened: list[NatsInbox] = []

    def open_one(replicas: int = 1) -> NatsInbox:
        opened.append(NatsInbox(nats_url, replicas=replicas))
        return opened[-1]

    yield open_one
    for inbox in opened:
        inbox.close()


@pytest.fixture
def inbox(open_nats: Callable[..., NatsInbox]) -> NatsInbox:
    made = open_nats()
    made.prepare()
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal comes at once."""
    monkeypatch.setattr(nats, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(nats_link, "PATIENCE_SECONDS", 0.1)


@pytest.mark.parametrize(
    ("url", "servers", "stream", "proof"),
    [
        ("nats://one:4222,two:4222/mine", ("one:4222", "two:4222"), "mine", (None, None, None)),
        ("nats://anna:p%40ss@one", ("one",), "hopp", ("anna", "p@ss", None)),
        ("nats://s3cret@one/", ("one",), "hopp", (None, None, "s3cret")),
    ],
)
def test_an_address_is_read_in_parts(url: str, servers: tuple[str, ...], stream: str, proof: tuple[str | None, ...]) -> None:
    address = read_address(url)
    assert (address.servers, address.stream) == (servers, stream)
    assert (address.user, address.password, address.token) == proof


def test_nothing_shows_what_proves_who_we_are(nats_url: str) -> None:
    address = read_address(nats_url)
    assert (address.user, address.password) == (USER, PASSWORD)
    assert PASSWORD not in repr(address) + address.described
    assert f"{USER}:" not in address.described


def test_replicas_are_added_and_never_taken_away(open_nats: Callable[..., NatsInbox]) -> None:
    for wanted, there in ((1, 1), (3, 3), (1, 3)):
        inbox = open_nats(wanted)
        inbox.prepare()
        assert inbox.standing().replicas == there
    wait_until(lambda: inbox.standing().in_step == 3, "every replica has everything")


def test_a_stream_of_somebody_else_is_left_alone(open_nats: Callable[..., NatsInbox], inbox: NatsInbox, nats_url: str) -> None:
    name = nats_url.rpartition("/")[2]
    inbox._link.ask(lambda client: client.jetstream().delete_stream(name))
    inbox._link.ask(lambda client: client.jetstream().add_stream(name=name, subjects=["orders"]))
    with pytest.raises(ForeignStreamError, match="Name another stream"):
        open_nats().prepare()


def test_a_delivery_that_is_appended_again_waits_once(inbox: NatsInbox) -> None:
    """After a time-out nobody knows whether the first attempt was kept."""
    item = delivery()
    inbox.append(item)
    inbox.append(item)
    assert taken(inbox) == [item]


def test_a_body_that_no_server_takes_is_too_large_and_not_unavailable(inbox: NatsInbox) -> None:
    with pytest.raises(BodyTooLargeError, match="raise their max_payload"):
        inbox.append(delivery(os.urandom(2_100_000)))
    inbox.append(delivery(b"a body that packs well " * 500_000))
    assert inbox.state().waiting == 1


def test_what_cannot_be_read_stays_and_stops_nothing(inbox: NatsInbox) -> None:
    inbox._link.ask(lambda client: client.jetstream().publish(inbox._subject, b"\x09 of a later version"))
    item = delivery()
    inbox.append(item)
    assert taken(inbox) == [item]
    assert inbox.state().waiting == 1


@pytest.mark.usefixtures("impatient")
def test_an_inbox_that_was_never_made_says_how_it_is(open_nats: Callable[..., NatsInbox]) -> None:
    with pytest.raises(InboxUnavailableError, match="service migrate"):
        open_nats().append(delivery())


@pytest.mark.usefixtures("impatient")
def test_servers_that_do_not_answer_make_it_unavailable() -> None:
    inbox = NatsInbox(f"nats://{USER}:s3cret@127.0.0.1:{free_port()}")
    with pytest.raises(InboxUnavailableError, match=r"nats://127\.0\.0\.1") as refusal:
        inbox.append(delivery())
    assert "s3cret" not in str(refusal.value)
    inbox.close()


def test_what_was_begun_is_settled_where_the_connection_ends() -> None:
    link = NatsLink(read_address(f"nats://127.0.0.1:{free_port()}"))
    outcomes: SimpleQueue[Exception | None] = SimpleQueue()
    for _ in range(20):
        link.begin(lambda client: client.flush(), outcomes.put)
        link.close()
    assert {type(outcomes.get(timeout=30)) for _ in range(20)} == {InboxUnavailableError}


def test_where_no_thread_can_be_started_nobody_waits_and_the_next_one_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    link = NatsLink(read_address(f"nats://127.0.0.1:{free_port()}"))
    outcomes: SimpleQueue[Exception | None] = SimpleQueue()
    with monkeypatch.context() as exhausted:
        exhausted.setattr(Thread, "start", fail)
        with pytest.raises(RuntimeError):
            link.begin(lambda client: client.flush(), outcomes.put)
    link.begin(lambda client: client.flush(), outcomes.put)
    link.close()
    assert isinstance(outcomes.get(timeout=30), InboxUnavailableError)


def test_a_connection_that_was_given_up_is_made_again(inbox: NatsInbox) -> None:
    """The client gives up for good when its user is locked out, if only for a moment."""
    inbox._link.ask(lambda client: client.close())
    inbox.append(delivery())
    assert inbox.state().waiting == 1


def test_a_wrong_password_is_named_and_not_shown(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_link, "PATIENCE_SECONDS", 1.0)
    inbox = NatsInbox("nats://anna:wr0ng@" + nats_url.rpartition("@")[2])
    with pytest.raises(InboxUnavailableError, match="Authorization") as refusal:
        inbox.prepare()
    assert "wr0ng" not in str(refusal.value)
    inbox.close()


def test_a_batch_stays_with_its_worker_while_that_lives(open_nats: Callable[..., NatsInbox], monkeypatch: pytest.MonkeyPatch) -> None:
    _hold_briefly(monkeypatch)
    first, second = open_nats(), open_nats()
    first.prepare()
    first.append(delivery())
    with first.take(1) as batch:
        for _ in range(10):  # each waits for a fifth of a second
            assert taken(second) == []
        batch.done()
    assert first.state().waiting == 0


def test_the_batch_of_a_worker_that_died_goes_to_another(open_nats: Callable[..., NatsInbox], monkeypatch: pytest.MonkeyPatch) -> None:
    _hold_briefly(monkeypatch)
    first, second = open_nats(), open_nats()
    first.prepare()
    item = delivery()
    first.append(item)
    held = first.take(1)
    held.__enter__()
    first.close()  # no word that it lets go
    wait_until(lambda: taken(second) == [item], "another worker gets it")
    held.__exit__(None, None, None)


def _hold_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats, "_HELD_SECONDS", 1.0)
    monkeypatch.setattr(nats, "_SIGN_SECONDS", 0.2)
