"""How do slow senders keep nobody else waiting, and how do posts cost less than a thread for each?

gunicorn's threads read a request while its sender still sends: as many slow senders as there are threads, and nobody is
served. Here the one loop that waits for all connections gathers each request first. A plain post to a source it hands
to the gate itself, and answers it once it is kept; for anything else a thread runs the application, on a whole request.
"""

import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from errno import EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EWOULDBLOCK
from functools import partial
from selectors import EVENT_READ
from typing import Any

import structlog
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # it ships no types

from service.web.answers import Answer
from service.web.connection import GATHERED_BYTES, Connection
from service.web.gate import Gate
from service.web.plain import MAX_BODY_BYTES, write_answer

log = structlog.get_logger()
REQUEST_SECONDS = 20.0  # from the first byte of a request, or from the opening of a connection, until it is whole
LARGE_SECONDS = 60.0  # the same, from when a thread has a request that it has to go on reading
ANSWER_SECONDS = 60.0  # from when a thread has all of a request until its answer is taken
LINGER_SECONDS = 2.0  # from our end of a connection until the sender's; then it is cut
FEWER_SECONDS = 10.0  # from when there were too many connections for the machine until we try as many again
_FULL = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})


class GatheringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's worker with threads, but for who reads the requests, and who takes in the posts."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - what gunicorn hands in
        super().__init__(*given)
        self._gate: Gate | None = None
        self._fewer_until: float | None = None  # we take fewer connections than we might
        self._read_from: dict[Connection, float] = {}  # connections that threads read on from, and until when they may
        self._written_to: dict[Connection, float] = {}  # connections that they have otherwise, and until when they may write
        self._large: set[Connection] = set()  # those that a thread has to go on reading from
        self._parked: deque[Connection] = deque()  # more of these than threads can be spared for
        self._lingering: deque[Connection] = deque()
        self._answers: deque[tuple[Connection, Answer]] = deque()
        self._is_called = False  # to send the answers

    def run(self) -> None:
        """Serve until told to stop."""
        behind = getattr(self.wsgi, "wsgi_app", None)  # where Flask keeps what stands before it
        if isinstance(behind, Gate) and not self.cfg.accesslog:  # only gunicorn's own way writes that
            self._gate = behind
        try:
            super().run()
        finally:
            self._is_called = True  # nobody is left to send an answer, and gunicorn's queue is closed

    def accept(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's own socket
        """Take a connection and begin to gather its first request."""
        if self.cfg.is_ssl:
            super().accept(listener)
            return
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _FULL and self.nr_conns:
                self._take_fewer(error)
            elif error.errno not in {EAGAIN, ECONNABORTED, EWOULDBLOCK}:
                raise
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.linger = partial(self._linger, connection)
        connection.init()
        client.settimeout(0)
        self._gather(connection)

    def _take_fewer(self, error: OSError) -> None:
        """The machine gives us no more files: for a while we leave it some, and keep the connections that we have."""
        self._take_at_most(max(self.nr_conns * 9 // 10, 1))
        self._fewer_until = time.monotonic() + FEWER_SECONDS
        log.error(
            "connections_exhausted",
            reason=error.strerror,
            connections=self.nr_conns,
            taken_at_most=self.worker_connections,
            for_seconds=FEWER_SECONDS,
            hint="allow more open files (ulimit -n)",
        )

    def _take_at_most(self, connections: int) -> None:
        self.worker_connections = connections
        self.max_keepalived = max(connections - self.cfg.threads, 0)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Leave out what is no longer so: an earlier one may have closed a connection, whose number may be another's by now."""
        listened_to = self.poller.get_map()
        for key, _ in self.poller.select(timeout):
            if listened_to.get(key.fd) is key:
                key.data(key.fileobj)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:  # noqa: ANN401
        """A connection that a thread has served begins its next request."""
        if self.cfg.is_ssl:
            super().on_client_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._gather(conn)

    def _gather(self, connection: Connection, _readable: object = None) -> None:
        """Take what has come of a request, and see to it once it is whole."""
        if connection.is_answered_later:  # the sender does not wait for the answer: it has to
            self._stop_listening(connection)
        elif connection.read():
            self._leave_line(connection)
            if connection.is_gone:
                self._drop(connection)
            elif not self._take_in(connection):
                self._stop_listening(connection)
                self._hand_over(connection)
        elif connection.line is not self.pending_conns:
            self._leave_line(connection)
            self._join_line(connection, self.pending_conns, REQUEST_SECONDS)

    def _hand_over(self, connection: Connection) -> None:
        """Give a request to a thread; large ones, which may come slowly, never have all threads."""
        if len(connection.received) >= GATHERED_BYTES:
            if len(self._large) >= max(self.cfg.threads // 2, 1):
                self._parked.append(connection)
                return
            self._large.add(connection)
            self._read_from[connection] = time.monotonic() + LARGE_SECONDS
        else:
            self._written_to[connection] = time.monotonic() + ANSWER_SECONDS
        connection.hand_over()
        super().enqueue_req(connection)

    def enqueue_req(self, conn: Any) -> None:  # noqa: ANN401
        """What has come behind a request: a thread would have to wait for the rest, so it is gathered as any other."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        conn.sock.settimeout(0)
        conn.take_back()
        self._gather(conn)

    def _take_in(self, connection: Connection) -> bool:
        """Give a plain post to the gate; False where a thread has to see to the request."""
        head = connection.plain_head
        if self._gate is None or head is None or head.body_bytes > MAX_BODY_BYTES or connection.holds_more:
            return False
        connection.is_answered_later = True
        if not self._gate.begin(head, connection.body, connection.remote, partial(self._answer_later, connection)):
            connection.is_answered_later = False
            return False
        self.nr += 1
        if self.nr >= self.max_requests:  # gunicorn's own setting; it starts another worker
            self.alive = False
        return True

    def _answer_later(self, connection: Connection, answer: Answer) -> None:
        """From any thread: the loop sends it, together with all others that are there by then."""
        self._answers.append((connection, answer))
        if not self._is_called:
            self._is_called = True
            self.method_queue.defer(self._send_answers)

    def _send_answers(self) -> None:
        self._is_called = False  # before the last look: what comes after that look calls again
        while self._answers:
            self._send(*self._answers.popleft())

    def _send(self, connection: Connection, answer: Answer) -> None:
        is_kept = connection.keeps_open and self.alive and self.cfg.keepalive > 0 and len(self.keepalived_conns) < self.max_keepalived
        written = write_answer(answer, is_kept=is_kept)
        connection.forget()
        try:
            is_sent = connection.sock.send(written) == len(written)
        except OSError:
            is_sent = False
        if not is_sent:  # nobody reads there any more
            self._drop(connection)
        elif is_kept:
            self._join_line(connection, self.keepalived_conns, self.cfg.keepalive)
        else:
            self._stop_listening(connection)
            self.nr_conns -= 1
            connection.close(graceful=True)

    def _join_line(self, connection: Connection, line: "deque[Connection]", seconds: float) -> None:
        """Wait for what comes next, no longer than so; everybody in a line waits equally long, so it is in order."""
        connection.timeout = time.monotonic() + seconds
        connection.line = line
        line.append(connection)
        if not connection.is_listened_to:
            connection.is_listened_to = True
            self.poller.register(connection.sock, EVENT_READ, partial(self._gather, connection))

    def _leave_line(self, connection: Connection) -> None:
        if connection.line is not None:
            connection.line.remove(connection)
            connection.line = None

    def _stop_listening(self, connection: Connection) -> None:
        if connection.is_listened_to:
            connection.is_listened_to = False
            self.poller.unregister(connection.sock)

    def _drop(self, connection: Connection) -> None:
        self._stop_listening(connection)
        self.nr_conns -= 1
        connection.close()

    def _linger(self, connection: Connection) -> None:
        """End our side, and wait in the loop for the sender's end, so that it can read the whole answer (RFC 9112, section 9.6)."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.sock.settimeout(0)
        except OSError:
            connection.close()
            return
        connection.forget()
        connection.timeout = time.monotonic() + LINGER_SECONDS
        self.nr_conns += 1  # gunicorn has counted it out
        self._lingering.append(connection)
        self.poller.register(connection.sock, EVENT_READ, partial(self._see_out, connection))

    def _see_out(self, connection: Connection, _readable: object = None) -> None:
        if connection.drain():
            self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        self._lingering.remove(connection)
        self.poller.unregister(connection.sock)
        self.nr_conns -= 1
        connection.close()

    def murder_pending(self) -> None:
        """End the requests that were not whole in time, and the connections whose senders do not go."""
        if self.cfg.is_ssl:
            super().murder_pending()
            return
        now = time.monotonic()
        if self._fewer_until is not None and self._fewer_until <= now:
            self._fewer_until = None
            self._take_at_most(self.cfg.worker_connections)
        self._free_threads(now)
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            connection = self.pending_conns[0]
            self._leave_line(connection)
            connection.refuse()
            self._drop(connection)
        while self._lingering and self._lingering[0].timeout <= now:
            self._cut(self._lingering[0])

    def _free_threads(self, now: float) -> None:
        """A thread waits neither for ever for a sender that does not send on, nor for one that does not read its answer."""
        for connection in _due(self._read_from, now):
            self._written_to[connection] = now + ANSWER_SECONDS
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RD)  # the thread reads an end
        for connection in _due(self._written_to, now):
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def finish_request(self, conn: Any, fs: Any) -> None:  # noqa: ANN401
        """A thread is done with a connection."""
        self._read_from.pop(conn, None)
        self._written_to.pop(conn, None)
        self._large.discard(conn)
        super().finish_request(conn, fs)
        if self._parked and len(self._large) < max(self.cfg.threads // 2, 1):
            self._hand_over(self._parked.popleft())

    def _cap_keepalive(self, deadline: float) -> None:
        """While stopping, a connection on which nothing was begun is as good as a kept one."""
        super()._cap_keepalive(deadline)
        if self.cfg.is_ssl:
            return
        for connection in self.pending_conns:
            if not connection.received:
                connection.timeout = min(connection.timeout, deadline)
        in_order = sorted(self.pending_conns, key=lambda connection: connection.timeout)
        self.pending_conns.clear()
        self.pending_conns.extend(in_order)


def _due(line: dict[Connection, float], now: float) -> Iterator[Connection]:
    """Take out those whose time is over; all of a line have equally long, so it is in order."""
    while line and line[first := next(iter(line))] <= now:
        del line[first]
        yield first
