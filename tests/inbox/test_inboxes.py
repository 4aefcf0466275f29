"""What got in comes out once, oldest first, whoever dies; on SQLite, on PostgreSQL and in a NATS cluster alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.inbox.port import Inbox
from tests.inbox.deliveries import delivery, taken

pytestmark = pytest.mark.enable_socket


def test_a_delivery_comes_out_as_it_went_in(inbox: Inbox) -> None:
    small, large = delivery(b"\x00\xff"), delivery(b"x" * 50_000)
    inbox.append(small)
    inbox.append(large)
    assert taken(inbox) == [small, large]


def test_an_inbox_may_be_prepared_again_and_keeps_what_waits(inbox: Inbox) -> None:
    inbox.append(delivery())
    inbox.prepare()
    assert len(taken(inbox)) == 1


def test_what_is_not_done_waits_again(inbox: Inbox) -> None:
    inbox.append(delivery())
    with inbox.take(10) as batch:
        assert len(batch.deliveries) == 1
    with inbox.take(10) as batch:
        assert len(batch.deliveries) == 1
        batch.done()
    with inbox.take(10) as batch:
        assert batch.deliveries == ()


def test_a_worker_that_fails_gives_its_batch_back(inbox: Inbox) -> None:
    inbox.append(delivery())
    with pytest.raises(ZeroDivisionError), inbox.take(10):
        raise ZeroDivisionError
    assert len(taken(inbox)) == 1


def test_a_batch_holds_no_more_than_was_asked_for(inbox: Inbox) -> None:
    sent = [delivery() for _ in range(5)]
    for item in sent:
        inbox.append(item)
    with inbox.take(2) as batch:
        assert batch.deliveries == tuple(sent[:2])


def test_what_comes_during_a_batch_is_not_removed_with_it(inbox: Inbox) -> None:
    inbox.append(delivery())
    later = delivery()
    with inbox.take(10) as batch:
        inbox.append(later)
        batch.done()
    assert taken(inbox) == [later]


def test_many_threads_lose_nothing(inbox: Inbox) -> None:
    sent = [delivery() for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(inbox.append, sent))
    assert inbox.state().waiting == 200
    assert sorted(item.id for item in taken(inbox)) == sorted(item.id for item in sent)


def test_another_process_finds_what_this_one_was_given(open_inbox: Callable[[], Inbox]) -> None:
    first, second = open_inbox(), open_inbox()
    first.append(delivery())
    first.close()
    assert len(taken(second)) == 1


def test_a_closed_inbox_opens_again_when_it_is_used(inbox: Inbox) -> None:
    inbox.append(delivery())
    inbox.close()
    assert len(taken(inbox)) == 1


def test_state_knows_how_much_waits_and_since_when(inbox: Inbox) -> None:
    now = datetime.now(UTC)
    assert (inbox.state().waiting, inbox.state().oldest_received_at) == (0, None)
    inbox.append(delivery(received_at=now))
    inbox.append(delivery(received_at=now))
    state = inbox.state()
    assert state.waiting == 2
    assert state.oldest_received_at is not None
    assert abs(state.oldest_received_at - now) < timedelta(minutes=1)


@pytest.mark.parametrize("open_inbox", ["postgresql", "nats"], indirect=True)
def test_two_workers_never_hold_the_same_delivery(open_inbox: Callable[[], Inbox]) -> None:
    first, second = open_inbox(), open_inbox()
    for _ in range(4):
        first.append(delivery())
    with first.take(3) as one, second.take(3) as other:
        assert (len(one.deliveries), len(other.deliveries)) == (3, 1)
        one.done()
    assert len(taken(second)) == 1
