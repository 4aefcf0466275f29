"""Rows that wait together are written together, each learns what became of it, and none is forgotten."""

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event as Signal
from threading import Thread
from threading import enumerate as all_threads
from typing import Any

import pytest

from service.inbox.group import GROUP_MAX, GroupCommit
from service.model.errors import InboxUnavailableError

_WAIT_SECONDS = 30


class _Table:
    """Writes wait at a gate, so that a test decides what waits together."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.gate = Signal()
        self.is_writing = Signal()
        self.fail: Callable[[Sequence[Any]], None] = lambda rows: None
        self.group = GroupCommit(self.write)

    def write(self, rows: Sequence[Any]) -> None:
        self.groups.append(list(rows))
        self.is_writing.set()
        assert self.gate.wait(_WAIT_SECONDS)
        self.fail(rows)

    def put(self, *rows: Any) -> list[Exception | None]:  # noqa: ANN401 - any row will do
        """What becomes of the first row and of those that came while it was written."""
        outcomes: list[SimpleQueue[Exception | None]] = [SimpleQueue() for _ in rows]
        for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True)):
            self.group.begin(row, outcome.put)
            if number == 0:
                assert self.is_writing.wait(_WAIT_SECONDS)
        self.gate.set()
        return [outcome.get(timeout=_WAIT_SECONDS) for outcome in outcomes]


@pytest.fixture
def table() -> Iterator[_Table]:
    made = _Table()
    yield made
    made.gate.set()
    made.group.close()


def test_what_is_alone_is_written_at_once(table: _Table) -> None:
    assert table.put("a") == [None]
    assert table.put("b") == [None]
    assert table.groups == [["a"], ["b"]]


def test_rows_that_come_during_a_write_share_the_next(table: _Table) -> None:
    assert table.put(*range(8)) == [None] * 8
    assert table.groups == [[0], list(range(1, 8))]


def test_a_write_holds_no_more_rows_than_allowed(table: _Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inbox.group.GROUP_MAX", 3)
    assert table.put(*range(8)) == [None] * 8
    assert [len(rows) for rows in table.groups] == [1, 3, 3, 1]
    assert GROUP_MAX >= 32, "as many as there are threads"


def test_an_inbox_that_does_not_answer_is_asked_once_for_all_that_wait(table: _Table) -> None:
    def fail(_rows: Sequence[Any]) -> None:
        raise InboxUnavailableError("gone")

    table.fail = fail
    assert [type(error) for error in table.put(*range(8))] == [InboxUnavailableError] * 8
    assert table.groups == [[0]]


def test_a_bad_row_is_refused_alone(table: _Table) -> None:
    def fail(rows: Sequence[Any]) -> None:
        if 5 in rows:
            raise ValueError

    table.fail = fail
    errors = table.put(*range(8))
    assert [row for row, error in enumerate(errors) if error is not None] == [5]
    assert isinstance(errors[5], ValueError)


def test_rows_after_a_bad_one_learn_that_the_inbox_went_away(table: _Table) -> None:
    def fail(rows: Sequence[Any]) -> None:
        if len(table.groups) > 3:
            raise InboxUnavailableError("gone")
        if len(rows) > 1:
            raise ValueError

    table.fail = fail
    errors = table.put(*range(4))
    assert [type(error) for error in errors] == [type(None), type(None), InboxUnavailableError, InboxUnavailableError]


def test_who_fails_to_listen_keeps_nobody_from_hearing(table: _Table) -> None:
    def deaf(_error: Exception | None) -> None:
        raise ValueError

    heard: SimpleQueue[Exception | None] = SimpleQueue()
    table.group.begin("first", heard.put)
    assert table.is_writing.wait(_WAIT_SECONDS)
    table.group.begin("second", deaf)
    table.group.begin("third", heard.put)
    table.gate.set()
    assert [heard.get(timeout=_WAIT_SECONDS) for _ in range(2)] == [None, None]


def test_closing_settles_what_waits_and_ends_the_thread(table: _Table) -> None:
    heard: list[Exception | None] = []
    before = len(all_threads())
    table.group.begin("first", heard.append)
    assert table.is_writing.wait(_WAIT_SECONDS)
    table.group.begin("second", heard.append)
    table.gate.set()
    table.group.close()
    assert (heard, len(all_threads())) == ([None, None], before)
    assert table.put("later") == [None]


def test_what_comes_while_it_closes_is_settled_too() -> None:
    group: GroupCommit[int] = GroupCommit(lambda _rows: None)
    outcomes: SimpleQueue[Exception | None] = SimpleQueue()
    is_over = Signal()

    def close() -> None:
        while not is_over.is_set():
            group.close()

    closer = Thread(target=close)
    closer.start()
    for row in range(1_000):
        group.begin(row, outcomes.put)
    assert [outcomes.get(timeout=_WAIT_SECONDS) for _ in range(1_000)] == [None] * 1_000
    is_over.set()
    closer.join()
    group.close()


def test_a_process_that_was_forked_writes_by_a_thread_of_its_own(table: _Table, monkeypatch: pytest.MonkeyPatch) -> None:
    assert table.put("parent's") == [None]
    with monkeypatch.context() as forked:
        forked.setattr("service.inbox.group.os.getpid", lambda: -1)
        assert table.put("child's") == [None]
        table.group.close()
    assert table.groups == [["parent's"], ["child's"]]
