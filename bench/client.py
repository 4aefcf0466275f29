"""How fast does a server answer? Posts over kept connections, in a process of its own that does nothing else.

One thread and one selector, requests signed beforehand: about 30 us of CPU a post, so that the server, not the client, is what is
measured on a small machine; what it took is reported beside. Closed loop: each connection posts again once it is answered. At a
given rate: each post has its moment, and its latency counts from that, so that a server that stalls does not hide it.

`python -m bench.client` reads a Plan as JSON from standard input, writes "ready", waits for a line, and writes what it found.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from urllib.parse import urlsplit

from bench.traffic import Esp, posts

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_GRACE_SECONDS = 60.0  # for what is on its way when the time is up
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to post, how, and for how long."""

    target: str
    esp: Esp
    seed: int
    count: int  # different posts; the run ends early where they are used up
    seconds: float
    connections: int = 32
    rate: float | None = None  # posts a second; as many as are answered where None
    repeats: bool = False  # posts may come again: for servers that keep nothing


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run gave."""

    seconds: float  # from the first post to the last answer
    accepted: int
    other: dict[str, int]  # answers by status, "broken" where the connection ended
    p50_ms: float
    p99_ms: float
    client_cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds if self.seconds else 0.0


@dataclass(slots=True, eq=False)
class _Connection:
    """One kept connection: the rest of what it sends, and what came so far."""

    socket: socket.socket
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""
    due: float = 0.0


class Run:
    """One load, with its connections made."""

    def __init__(self, plan: Plan, requests: list[bytes]) -> None:
        self._plan = plan
        place = urlsplit(plan.target)
        self._address = (place.hostname or "", place.port or 80)
        self._requests = iter(cycle(requests) if plan.repeats else requests)
        self._selector = selectors.DefaultSelector()
        self._idle: deque[_Connection] = deque(self._connect() for _ in range(plan.connections))
        self._busy = 0
        self._statuses: Counter[int] = Counter()
        self._broken = 0
        self._latencies: list[float] = []

    def _connect(self) -> _Connection:
        opened = socket.create_connection(self._address, timeout=10)
        opened.settimeout(0)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(opened)
        self._selector.register(opened, selectors.EVENT_READ, connection)
        return connection

    def run(self) -> Outcome:
        """Post until the time is up or the posts are, then wait for what is on its way."""
        cpu, started = time.process_time(), time.perf_counter()
        self._started, end = started, started + self._plan.seconds
        last, sent, is_over = started, 0, False
        while not is_over or self._busy:
            now = time.perf_counter()
            is_over = is_over or now >= end
            if now > end + _GRACE_SECONDS:
                self._broken += self._busy
                break
            while not is_over and self._idle and (due := self._due(sent)) <= now:
                request = next(self._requests, None)
                if request is None:
                    is_over = True
                    break
                self._begin(self._idle.popleft(), request, now if self._plan.rate is None else due)
                sent += 1
            for key, mask in self._selector.select(self._wait(sent, now, end)):
                last = self._go_on(key.data, mask) or last
        seconds, cpu = last - started, time.process_time() - cpu
        self._close()
        return self._outcome(seconds, cpu)

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def _due(self, sent: int) -> float:
        return 0.0 if self._plan.rate is None else self._started + sent / self._plan.rate

    def _wait(self, sent: int, now: float, end: float) -> float:
        if self._plan.rate is None or not self._idle:
            return 0.05
        return max(0.0, min(self._due(sent), end) - now)

    def _begin(self, connection: _Connection, request: bytes, due: float) -> None:
        self._busy += 1
        connection.unsent, connection.answer, connection.due = memoryview(request), b"", due
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        try:
            done = connection.socket.send(connection.unsent)
        except BlockingIOError:
            done = 0
        except OSError:
            self._replace(connection)
            return
        connection.unsent = connection.unsent[done:]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, connection)

    def _go_on(self, connection: _Connection, mask: int) -> float | None:
        """Send or read what is there; gives the moment where an answer is whole."""
        if mask & selectors.EVENT_WRITE and connection.unsent:
            self._send(connection)
        if not mask & selectors.EVENT_READ:
            return None
        try:
            read = connection.socket.recv(65_536)
        except BlockingIOError:
            return None
        except OSError:
            read = b""
        if not read:
            self._replace(connection)
            return None
        connection.answer += read
        if not _is_whole(connection.answer):
            return None
        now = time.perf_counter()
        self._statuses[int(connection.answer[9:12])] += 1
        self._latencies.append(now - connection.due)
        self._busy -= 1
        self._idle.append(connection)
        return now

    def _replace(self, connection: _Connection) -> None:
        """The server ended the connection: an idle one is nothing, a post without an answer is counted."""
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._broken += 1
            self._busy -= 1
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._idle.append(self._connect())

    def _outcome(self, seconds: float, cpu_seconds: float) -> Outcome:
        other = {str(status): count for status, count in self._statuses.items() if status not in _SUCCESS}
        ordered = sorted(self._latencies) or [0.0]
        return Outcome(
            seconds=seconds,
            accepted=sum(count for status, count in self._statuses.items() if status in _SUCCESS),
            other=other | ({"broken": self._broken} if self._broken else {}),
            p50_ms=ordered[len(ordered) // 2] * 1e3,
            p99_ms=ordered[len(ordered) * 99 // 100] * 1e3,
            client_cpu_seconds=cpu_seconds,
        )


def _is_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(answer, 0, end + 2)
    if length is None and _CHUNKED.search(answer, 0, end + 2):
        return answer.endswith(b"\r\n0\r\n\r\n")
    return len(answer) >= end + 4 + (int(length[1]) if length else 0)


def main() -> None:
    """Make the posts, say so, wait, post, report."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    requests = list(islice(posts(plan.esp, plan.target, seed=plan.seed, count=plan.count), plan.count))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(Run(plan, requests).run())), flush=True)


if __name__ == "__main__":
    main()
