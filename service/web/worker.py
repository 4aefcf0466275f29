"""How do slow senders keep nobody else waiting?

gunicorn's threads read a request while its sender still sends: as many slow senders as there are threads, and nobody is
served. Here the one loop that waits for all connections gathers each request first, and a thread gets it once it is whole.
"""

import re
import socket
import time
from contextlib import suppress
from errno import EAGAIN, ECONNABORTED, EWOULDBLOCK
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]  # it ships no types

REQUEST_SECONDS = 20.0  # from the first byte of a request, or from the opening of a connection, until it is whole
LARGE_SECONDS = 60.0  # the same, from when a thread has a request that it has to go on reading
GATHERED_BYTES = 262_144  # a larger request is gathered so far, and a thread reads the rest
_PIECE_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class GatheringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's worker with threads, but for who reads the requests."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - what gunicorn hands in
        super().__init__(*given)
        self._read_on: dict[_Connection, float] = {}  # connections that a thread reads on from, and until when it may

    def accept(self, listener: Any) -> None:  # noqa: ANN401 - gunicorn's own socket
        """Take a connection and begin to gather its first request."""
        if self.cfg.is_ssl:
            super().accept(listener)
            return
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in {EAGAIN, ECONNABORTED, EWOULDBLOCK}:
                raise
            return
        self.nr_conns += 1
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.init()
        client.settimeout(0)
        self._gather(connection)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:  # noqa: ANN401
        """A kept connection begins its next request."""
        if self.cfg.is_ssl:
            super().on_client_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._gather(conn)

    def _gather(self, connection: "_Connection", _readable: object = None) -> None:
        if connection.read():
            self._stop_waiting(connection)
            if connection.is_gone:
                self._drop(connection)
            else:
                if len(connection.received) >= GATHERED_BYTES:
                    self._read_on[connection] = time.monotonic() + LARGE_SECONDS
                connection.hand_over()
                self.enqueue_req(connection)
        elif not connection.is_waiting:
            connection.is_waiting = True
            connection.timeout = time.monotonic() + REQUEST_SECONDS
            self.pending_conns.append(connection)
            self.poller.register(connection.sock, EVENT_READ, partial(self._gather, connection))

    def _stop_waiting(self, connection: "_Connection") -> None:
        if connection.is_waiting:
            connection.is_waiting = False
            self.pending_conns.remove(connection)
            self.poller.unregister(connection.sock)

    def _drop(self, connection: "_Connection") -> None:
        self.nr_conns -= 1
        connection.close()

    def murder_pending(self) -> None:
        """End the requests that were not whole in time."""
        now = time.monotonic()
        for connection in [connection for connection, until in self._read_on.items() if until <= now]:
            del self._read_on[connection]
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RD)  # the thread reads an end
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            connection = self.pending_conns[0]
            self._stop_waiting(connection)
            connection.refuse()
            self._drop(connection)

    def finish_request(self, conn: Any, fs: Any) -> None:  # noqa: ANN401
        """A thread is done with a connection."""
        self._read_on.pop(conn, None)
        super().finish_request(conn, fs)

    def _cap_keepalive(self, deadline: float) -> None:
        """While stopping, a connection on which nothing was begun is as good as a kept one."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            if not connection.received:
                connection.timeout = min(connection.timeout, deadline)
        in_order = sorted(self.pending_conns, key=lambda connection: connection.timeout)
        self.pending_conns.clear()
        self.pending_conns.extend(in_order)


class _Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """A connection, and what of its next request has come."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - what gunicorn hands in
        super().__init__(*given)
        self.is_waiting = False
        self.is_gone = False
        self._forget()

    def _forget(self) -> None:
        """The next request begins."""
        self.received = bytearray()
        self._searched_bytes = 0
        self._head_bytes = 0  # 0: not all there
        self._body_bytes = 0
        self._is_chunked = False

    def read(self) -> bool:
        """Take what has come; True once there is nothing to wait for: the request is whole, or nobody is there any more."""
        try:
            while not self._is_whole():
                piece = self.sock.recv(_PIECE_BYTES)
                if not piece:
                    self.is_gone = True
                    return True
                self.received += piece
        except BlockingIOError:
            return False
        except OSError:
            self.is_gone = True
        return True

    def _is_whole(self) -> bool:
        """Whether a thread would not have to wait for it; so is what the parser will refuse at once."""
        received = self.received
        if len(received) >= GATHERED_BYTES:
            return True
        if not self._head_bytes and not self._read_head():
            return False
        if self._is_chunked:
            return len(received) > self._head_bytes and received.endswith(_HEAD_END)  # so ends the last chunk, with trailers or without
        return len(received) >= self._head_bytes + self._body_bytes

    def _read_head(self) -> bool:
        """Note how the request goes on, once its head is there; nothing is searched twice, however small the pieces are."""
        received = self.received
        end = received.find(_HEAD_END, self._searched_bytes)
        if end < 0:
            self._searched_bytes = max(len(received) - len(_HEAD_END) + 1, 0)
            return False
        head = bytes(received[: end + len(_HEAD_END)])
        expects = _EXPECTS.search(head)
        if expects:
            del received[expects.start() : expects.end()]  # answered here, so the parser need not know
            head = head[: expects.start()] + head[expects.end() :]
            self.sock.send(_GO_ON)
        length = _LENGTH.search(head)
        self._head_bytes = len(head)
        self._body_bytes = int(length[1]) if length else 0
        self._is_chunked = _CHUNKED.search(head) is not None
        return True

    def hand_over(self) -> None:
        """Give what was gathered to the parser, which reads it before it asks the socket."""
        self.parser.unreader.unread(bytes(self.received))
        self._forget()

    def refuse(self) -> None:
        """Tell a sender that was too slow; one that never sent anything waits for no answer."""
        if self.received:
            with suppress(OSError):
                self.sock.send(_TOO_SLOW)
