"""What of a connection's next request has come, and is it whole?"""

import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]  # it ships no types

from service.web.plain import PlainHead, read_plain_head

GATHERED_BYTES = 262_144  # a larger request is gathered so far, and a thread reads the rest
_PIECE_BYTES = 65_536
_SEEN_OUT_BYTES = 1_000_000  # of what a sender still sends after our end
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,4000})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;|\Z)")
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's connection; its socket never blocks while no thread has it."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - what gunicorn hands in
        super().__init__(*given)
        self.line: deque[Connection] | None = None  # where it waits, until its `timeout`
        self.is_listened_to = False
        self.is_gone = False
        self.linger: Callable[[], None] | None = None
        self.forget()

    def forget(self) -> None:
        """The next request begins."""
        self.received = bytearray()
        self.plain_head: PlainHead | None = None
        self.is_answered_later = False
        self._searched_bytes = 0
        self._head_bytes = 0  # 0: not all there
        self._body_bytes = 0
        self._is_chunked = False
        self._chunk_at = 0  # where the next chunk begins
        self._drained_bytes = 0

    @property
    def remote(self) -> str:
        """The IP address of who sends; '' where a socket of this machine has none."""
        return str(self.client[0]) if isinstance(self.client, tuple) else ""

    @property
    def body(self) -> bytes:
        """The body of a request that is whole and not chunked."""
        return bytes(self.received[self._head_bytes : self._head_bytes + self._body_bytes])

    @property
    def holds_more(self) -> bool:
        """Whether more has come than one request."""
        return len(self.received) > self._head_bytes + self._body_bytes

    @property
    def keeps_open(self) -> bool:
        """Whether the sender of a plain post keeps the connection for its next one."""
        return self.plain_head is not None and self.plain_head.is_kept

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
            return self._is_last_chunk_there()
        return len(received) >= self._head_bytes + self._body_bytes

    def _is_last_chunk_there(self) -> bool:
        """Go from chunk to chunk, as far as they are there."""
        received = self.received
        while True:
            end = received.find(b"\r\n", self._chunk_at)
            if end < 0:
                return False
            size = _CHUNK_SIZE.match(received, self._chunk_at, end)
            if size is None:
                return True
            length = int(size[1], 16)
            if not length:
                return received.find(_HEAD_END, end) >= 0  # behind the trailers
            if end + length + 4 > len(received):
                return False
            self._chunk_at = end + length + 4

    def _read_head(self) -> bool:
        """Note how the request goes on, once its head is there; nothing is searched twice, however small the pieces are."""
        received = self.received
        end = received.find(_HEAD_END, self._searched_bytes)
        if end < 0:
            self._searched_bytes = max(len(received) - len(_HEAD_END) + 1, 0)
            return False
        head = bytes(received[: end + len(_HEAD_END)])
        self.plain_head = read_plain_head(head)
        if self.plain_head is not None:
            self._head_bytes, self._body_bytes = len(head), self.plain_head.body_bytes
            return True
        expects = _EXPECTS.search(head)
        if expects:
            del received[expects.start() : expects.end()]  # answered here, so the parser need not know
            head = head[: expects.start()] + head[expects.end() :]
            self.sock.send(_GO_ON)
        length = _LENGTH.search(head)
        self._head_bytes = len(head)
        self._body_bytes = int(length[1]) if length else 0
        self._is_chunked = _CHUNKED.search(head) is not None
        self._chunk_at = len(head)
        return True

    def hand_over(self) -> None:
        """Give what was gathered to the parser, which reads it before it asks the socket."""
        self.parser.unreader.unread(bytes(self.received))
        self.forget()

    def take_back(self) -> None:
        """What the parser has read beyond its request begins the next one."""
        self.received += self.parser.unreader.take_buffered()

    def refuse(self) -> None:
        """Tell a sender that was too slow; one that never sent anything waits for no answer."""
        if self.received:
            with suppress(OSError):
                self.sock.send(_TOO_SLOW)

    def drain(self) -> bool:
        """Throw away what still comes after our end; True once the sender has ended too, or sends on and on."""
        try:
            piece = self.sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._drained_bytes += len(piece)
        return not piece or self._drained_bytes > _SEEN_OUT_BYTES

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's own signature
        """Close it, or leave it to whoever lingers: gunicorn's own way of that holds up the loop."""
        linger, self.linger = self.linger, None
        if graceful and linger is not None:
            linger()
        else:
            super().close(graceful)
