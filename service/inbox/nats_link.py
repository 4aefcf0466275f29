"""How does code in threads speak to a NATS cluster? Through one background thread with an event loop and one connection.

Both are made when first used, so that a process that forks before has nothing to share. A connection that breaks is made
again for ever; what is asked meanwhile waits for a few seconds, counted from the break, and then fails at once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, TypeVar
from urllib.parse import unquote

import nats
from nats.aio.client import Client

from service.model.errors import InboxUnavailableError

Answer = TypeVar("Answer")
PATIENCE_SECONDS = 8.0  # a cluster that lost its leader has another after some five; most ESPs wait for ten or more
_CONNECT_SECONDS = 2
_RECONNECT_SECONDS = 0.5
_PING_SECONDS = 5  # a node that lost its power is noticed after two pings that nobody answered
_CANCEL_SECONDS = 1.0  # in which whatever is cancelled can also hang up
_DEFAULT_STREAM = "hopp"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsAddress:
    """Where the cluster is, and in which stream the inbox lies."""

    servers: tuple[str, ...]
    stream: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def described(self) -> str:
        """The address without what proves who we are."""
        return f"nats://{','.join(self.servers)}/{self.stream}"


def read_address(url: str) -> NatsAddress:
    """The parts of `nats://user:password@host:4222,host:4222/stream`, which the settings have checked."""
    proof, at, rest = url.removeprefix("nats://").rpartition("@")
    hosts, _, stream = rest.partition("/")
    name, colon, password = (unquote(part) for part in proof.partition(":"))
    return NatsAddress(
        servers=tuple(hosts.split(",")),
        stream=stream or _DEFAULT_STREAM,
        user=name if colon else None,
        password=password if colon else None,
        token=name if at and not colon else None,
    )


class NatsLink:
    """The connection of this process; any thread may ask through it."""

    def __init__(self, address: NatsAddress) -> None:
        self.address = address
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        # What follows is touched in the loop alone.
        self._client: Client | None = None
        self._connecting: asyncio.Task[Client] | None = None
        self._is_up = asyncio.Event()
        self._down_since = 0.0
        self._last_error = "no answer"
        self._is_said = False  # by a server

    def ask(self, question: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Await the question in the background; raises InboxUnavailableError where the cluster cannot answer it."""
        return self._put(question).result()

    def begin(self, question: Callable[[Client], Awaitable[object]], settled: Callable[[Exception | None], None]) -> None:
        """Ask without waiting: `settled` is called in the background's thread, with what `ask` would raise or with None."""

        def settle(asked: "Future[object]") -> None:
            error = None if asked.cancelled() else asked.exception()
            if asked.cancelled() or not (error is None or isinstance(error, Exception)):
                error = InboxUnavailableError(f"The connection to {self.address.described} was ended. Try again.")
            settled(error)

        self._put(question).add_done_callback(settle)

    def _put(self, question: Callable[[Client], Awaitable[Answer]]) -> "Future[Answer]":
        with self._lock:  # so that nothing is put behind the end, where nobody would settle it
            if self._loop is None:
                self._loop, self._thread = _started()
            return asyncio.run_coroutine_threadsafe(self._answer(question), self._loop)

    def close(self) -> None:
        """End the connection and its thread; asking again begins anew."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._disconnect(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _answer(self, question: Callable[[Client], Awaitable[Answer]]) -> Answer:
        try:
            return await self._ask(question)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            reason = " ".join(str(error).split()) or self._last_error
            message = (
                f"The inbox {self.address.described} does not answer as it should ({reason}). Check its servers and HOPP_INBOX; "
                "an inbox that is new is made by: python -m service migrate"
            )
            raise InboxUnavailableError(message) from error

    async def _ask(self, question: Callable[[Client], Awaitable[Answer]]) -> Answer:
        client = await self._connected()
        if not self._is_up.is_set():
            waited_seconds = asyncio.get_running_loop().time() - self._down_since
            await asyncio.wait_for(self._is_up.wait(), max(PATIENCE_SECONDS - waited_seconds, 0))
        return await question(client)

    async def _connected(self) -> Client:
        if self._client is None or self._client.is_closed:  # it closes itself where its user is no longer let in
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect())
            self._client = await asyncio.shield(self._connecting)  # all who ask meanwhile share the attempt
        return self._client

    async def _connect(self) -> Client:
        client, address = Client(), self.address
        try:
            await asyncio.wait_for(
                client.connect(
                    servers=[f"nats://{server}" for server in address.servers],
                    name="hopp",
                    user=address.user,
                    password=address.password,
                    token=address.token,
                    error_cb=self._remember,
                    disconnected_cb=self._note_down,
                    reconnected_cb=self._note_up,
                    connect_timeout=_CONNECT_SECONDS,
                    reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type]  # a sleep: parts of a second are fine
                    max_reconnect_attempts=-1,
                    ping_interval=_PING_SECONDS,
                ),
                PATIENCE_SECONDS,
            )
        except BaseException:  # a cancelled attempt, too, has opened a socket
            await _hang_up(client)
            raise
        await self._note_up()
        return client

    async def _disconnect(self) -> None:
        if self._connecting is not None:
            await _end({self._connecting})
            if not self._connecting.cancelled() and self._connecting.exception() is None:
                await _hang_up(self._connecting.result())  # perhaps nobody has had its answer yet
        if self._client is not None:
            await _hang_up(self._client)
        self._client, self._connecting = None, None
        self._is_up = asyncio.Event()  # the old one belongs to this loop
        await _end(asyncio.all_tasks() - {asyncio.current_task()})

    async def _remember(self, error: Exception) -> None:
        """A broken connection does not replace what a server said before it broke it, such as that it does not know us."""
        is_said = isinstance(error, nats.errors.Error)
        if is_said or not self._is_said:
            self._last_error, self._is_said = str(error) or type(error).__name__, is_said

    async def _note_down(self) -> None:
        self._is_up.clear()
        self._down_since = asyncio.get_running_loop().time()

    async def _note_up(self) -> None:
        self._is_said = False
        self._is_up.set()


def _started() -> tuple[asyncio.AbstractEventLoop, Thread]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="nats", daemon=True)
    try:
        thread.start()
    except BaseException:  # a loop that nobody runs would keep whoever asks waiting for ever
        loop.close()
        raise
    return loop, thread


async def _end(tasks: "Iterable[asyncio.Task[Any] | None]") -> None:
    """Cancel these until they are over: a client that is just connecting may take a cancellation for a connection that broke."""
    waiting = {task for task in tasks if task is not None}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_CANCEL_SECONDS)


async def _hang_up(client: Client) -> None:
    """Close the client and its socket: one that was refused and tries again believes itself closed and would leave it open."""
    await client.close()
    if (transport := client._transport) is not None:  # noqa: SLF001 - the client has no word for it
        transport.close()  # type: ignore[no-untyped-call]
        with contextlib.suppress(OSError):
            await transport.wait_closed()  # type: ignore[no-untyped-call]
