"""Rows that wait together are written together, each caller learns what became of its own, and nobody is forgotten."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event as Signal
from typing import Any

import pytest

from service.inbox.group import GROUP_MAX, GroupCommit
from service.model.errors import InboxUnavailableError
from tests.e2e.serving import wait_until

_THREADS = 8
_WAIT_SECONDS = 30


class _Table:
    """Writes wait at a gate, so that a test decides who waits together."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.gate = Signal()
        self.is_writing = Signal()
        self.fail: Callable[[Sequence[Any]], None] = lambda rows: None

    def write(self, rows: Sequence[Any]) -> None:
        self.groups.append(list(rows))
        self.is_writing.set()
        assert self.gate.wait(_WAIT_SECONDS)
        self.fail(rows)


def _put_while_first_is_written(table: _Table, rows: Sequence[Any], open_gate: Callable[[], None]) -> list[Future[None]]:
    """What becomes of the first row and of those that came while it was written."""
    group = GroupCommit(table.write)
    with ThreadPoolExecutor(len(rows)) as pool:
        first = pool.submit(group.put, rows[0])
        assert table.is_writing.wait(_WAIT_SECONDS)
        others = [pool.submit(group.put, row) for row in rows[1:]]
        wait_until(lambda: len(group._queue) == len(others), "the others wait")
        open_gate()
        return [first, *others]


def test_who_is_alone_writes_at_once() -> None:
    table = _Table()
    table.gate.set()
    group = GroupCommit(table.write)
    group.put("a")
    group.put("b")
    assert table.groups == [["a"], ["b"]]


def test_rows_that_come_during_a_write_share_the_next() -> None:
    table = _Table()
    done = _put_while_first_is_written(table, range(_THREADS), table.gate.set)
    assert [future.result() for future in done] == [None] * _THREADS
    assert (table.groups[0], sorted(table.groups[1])) == ([0], list(range(1, _THREADS)))


def test_a_write_holds_no_more_rows_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inbox.group.GROUP_MAX", 3)
    table = _Table()
    done = _put_while_first_is_written(table, range(8), table.gate.set)
    assert [future.result() for future in done] == [None] * 8
    assert [len(rows) for rows in table.groups] == [1, 3, 3, 1]
    assert GROUP_MAX >= 32, "as many as there are threads"


def test_an_inbox_that_does_not_answer_is_asked_once_for_all_that_wait() -> None:
    table = _Table()

    def fail(rows: Sequence[Any]) -> None:
        raise InboxUnavailableError("gone")

    table.fail = fail
    done = _put_while_first_is_written(table, range(_THREADS), table.gate.set)
    assert [type(future.exception()) for future in done] == [InboxUnavailableError] * _THREADS
    assert table.groups == [[0]]


def test_a_bad_row_is_refused_alone() -> None:
    table = _Table()

    def fail(rows: Sequence[Any]) -> None:
        if 5 in rows:
            raise ValueError

    table.fail = fail
    done = _put_while_first_is_written(table, range(_THREADS), table.gate.set)
    assert [row for row, future in enumerate(done) if future.exception() is not None] == [5]
    assert isinstance(done[5].exception(), ValueError)


def test_rows_after_a_bad_one_learn_that_the_inbox_went_away() -> None:
    table = _Table()

    def fail(rows: Sequence[Any]) -> None:
        if len(table.groups) > 3:
            raise InboxUnavailableError("gone")
        if len(rows) > 1:
            raise ValueError

    table.fail = fail
    done = _put_while_first_is_written(table, range(4), table.gate.set)
    refused = [future.exception() is not None for future in done]
    assert (refused[0], sum(refused)) == (False, 2)


class _Ended(BaseException):
    pass


def test_a_writer_that_is_ended_leaves_nobody_waiting() -> None:
    table = _Table()

    def fail(rows: Sequence[Any]) -> None:
        if rows[0] == "first":
            raise _Ended

    table.fail = fail
    done = _put_while_first_is_written(table, ["first", "second"], table.gate.set)
    assert isinstance(done[0].exception(), _Ended)
    assert done[1].result() is None
