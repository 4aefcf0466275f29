"""The inbox in NATS JetStream: one replicated stream, from which a delivery goes once its events are committed.

An append returns once a majority of the replicas has the delivery. A batch is held for as long as its worker gives signs of
life; one that is dropped or whose worker dies is given to another. So a delivery may be taken twice, as from every inbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import nats
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from service.inbox.envelope import UnknownEnvelopeError, seal, unseal
from service.inbox.nats_link import PATIENCE_SECONDS, NatsLink, read_address
from service.inbox.port import Batch, Inbox, InboxState, Settled, Standing
from service.model.errors import BodyTooLargeError, HoppError, InboxUnavailableError
from service.model.events import Delivery

log = structlog.get_logger()
Answer = TypeVar("Answer")
_CONSUMER = "workers"
_ATTEMPT_SECONDS = 2.0  # then the leader may be gone: its successor is asked, and knows the delivery by its id
_PAUSE_SECONDS = 0.1
_IDLE_SECONDS = 0.2
_START_SECONDS = 30.0  # a cluster that was just started, or that gets more replicas, has to elect its leaders
_HELD_SECONDS = 30.0  # so long after its last sign of life a worker counts as dead
_SIGN_SECONDS = 8.0
_DUPLICATES_SECONDS = 120.0  # longer than any append goes on trying
_HELD_BY_ALL = 100_000  # deliveries that all workers hold at once
_BATCH_BYTES = 32_000_000  # packed
_HEADER_BYTES = 1_000  # counted by the server as part of a message
_NO_PEERS = 10005  # the server's code for: replicas find no place
_IN_PROCESS = 10158  # the server's code for: this id is just being kept


class ForeignStreamError(HoppError):
    """A stream of this name is there, and it is no inbox: name another one in HOPP_INBOX."""


class NatsInbox(Inbox):
    """An inbox behind a nats:// URL."""

    def __init__(self, url: str, *, replicas: int = 1) -> None:
        self._link = NatsLink(read_address(url))
        self._stream = self._link.address.stream
        self._subject = f"{self._stream}.deliveries"
        self._replicas = replicas

    @property
    def described(self) -> str:
        """The URL without password or token."""
        return self._link.address.described

    def prepare(self) -> None:
        """Create stream and consumer where they are missing, and raise the number of replicas; it is never lowered here."""
        self._link.ask(lambda client: _patiently(lambda: self._prepare(client), seconds=_START_SECONDS))

    async def _prepare(self, client: Client) -> None:
        jetstream = client.jetstream()
        try:
            config = (await jetstream.stream_info(self._stream)).config
        except NotFoundError:
            config = (await jetstream.add_stream(self._wanted())).config
        if config.retention != api.RetentionPolicy.WORK_QUEUE or config.subjects != [self._subject]:
            raise ForeignStreamError(f"{self.described} holds something else than an inbox. Name another stream in HOPP_INBOX.")
        if (config.num_replicas or 1) < self._replicas:
            await jetstream.update_stream(replace(config, num_replicas=self._replicas))
        information = await self._information(client)
        if _in_step(information) * 2 <= information["config"]["num_replicas"]:
            raise ServiceUnavailableError(description="most replicas are not there yet")
        await jetstream.add_consumer(
            self._stream,
            name=_CONSUMER,
            durable_name=_CONSUMER,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=_HELD_SECONDS,
            max_ack_pending=_HELD_BY_ALL,
        )

    def _wanted(self) -> api.StreamConfig:
        return api.StreamConfig(
            name=self._stream,
            subjects=[self._subject],
            retention=api.RetentionPolicy.WORK_QUEUE,
            storage=api.StorageType.FILE,
            num_replicas=self._replicas,
            discard=api.DiscardPolicy.NEW,  # where somebody sets a limit, the new is refused instead of the old thrown away
            duplicate_window=_DUPLICATES_SECONDS,
        )

    def begin(self, delivery: Delivery, settled: Settled) -> None:
        """Keep one delivery on a majority of the replicas; settled with BodyTooLargeError where no server takes so large a message."""
        message = seal(delivery)
        self._link.begin(lambda client: self._append(client, message, delivery.id), settled)

    async def _append(self, client: Client, message: bytes, id_: str) -> None:
        if len(message) + _HEADER_BYTES > client.max_payload:
            raise BodyTooLargeError(
                f"Packed it has {len(message)} bytes; the servers of {self.described} take {client.max_payload}: raise their max_payload."
            )
        jetstream, headers = client.jetstream(), {api.Header.MSG_ID.value: id_}
        await _patiently(
            lambda: jetstream.publish(self._subject, message, timeout=_ATTEMPT_SECONDS, stream=self._stream, headers=headers),
            seconds=PATIENCE_SECONDS,
        )

    @contextmanager
    def take(self, limit: int) -> Iterator[Batch]:
        """Hold up to `limit` deliveries until the block ends; those not done by then wait again."""
        batch = self._link.ask(lambda client: _patiently(lambda: self._pull(client, limit), seconds=PATIENCE_SECONDS))
        try:
            yield batch
        finally:
            batch.release()

    async def _pull(self, client: Client, limit: int) -> "_NatsBatch":
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox)
        # no_wait with expires means: what is there at once, or else the first that comes in that time.
        request = {
            "batch": limit,
            "max_bytes": max(_BATCH_BYTES, 2 * client.max_payload),
            "no_wait": True,
            "expires": int(_IDLE_SECONDS * 1e9),
        }
        await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{_CONSUMER}", orjson.dumps(request), reply=inbox)
        messages: list[Msg] = []
        wanted = limit
        try:
            while len(messages) < wanted:
                message = await subscription.next_msg(timeout=_ATTEMPT_SECONDS)
                if message.headers is None or api.Header.STATUS not in message.headers:
                    messages.append(message)
                else:
                    wanted = _sent_by(message, asked=limit, arrived=len(messages))
        except nats.errors.TimeoutError:
            if not messages:
                raise
        finally:
            await subscription.unsubscribe()
        return _hold(self._link, client, messages)

    def state(self) -> InboxState:
        """How much waits, and since when the oldest has been kept."""
        state = self._link.ask(self._information)["state"]
        waiting = state["messages"]
        return InboxState(waiting=waiting, oldest_received_at=datetime.fromisoformat(state["first_ts"]) if waiting else None)

    def standing(self) -> Standing:
        """What stands behind the inbox; raises InboxUnavailableError where it was never prepared."""

        async def look(client: Client) -> Standing:
            information = await self._information(client)
            return Standing(
                version=str(client.connected_server_version).strip("<>").rpartition("v")[2],
                max_payload=client.max_payload,
                replicas=information["config"]["num_replicas"],
                in_step=_in_step(information),
            )

        return self._link.ask(look)

    async def _information(self, client: Client) -> dict[str, Any]:
        """What the stream says about itself; the client's own reading of it leaves out the times."""
        answer = await client.request(f"$JS.API.STREAM.INFO.{self._stream}", timeout=_ATTEMPT_SECONDS)
        information: dict[str, Any] = orjson.loads(answer.data)
        if "error" in information:
            raise APIError.from_error(information["error"])
        return information

    def close(self) -> None:
        """Give back the connection and its thread."""
        self._link.close()


@dataclass(slots=True, kw_only=True)
class _NatsBatch:
    """A batch that stays ours while its task gives signs of life."""

    deliveries: tuple[Delivery, ...]
    _link: NatsLink = field(repr=False)
    _replies: tuple[str, ...] = field(repr=False)  # where the server waits to hear what became of each message
    _signs: "asyncio.Task[None] | None" = field(repr=False)

    def done(self) -> None:
        if not self._replies:
            return
        self._link.ask(lambda client: self._answer(client, Msg.Ack.Ack))
        self._replies = ()

    def release(self) -> None:
        """Let go of what is not done; where the cluster does not hear it, it does so by itself after a while."""
        if not self._replies:
            return
        with suppress(InboxUnavailableError):
            self._link.ask(lambda client: self._answer(client, Msg.Ack.Nak))

    async def _answer(self, client: Client, word: bytes) -> None:
        if self._signs is not None:
            self._signs.cancel()
        for reply in self._replies[:-1]:
            await client.publish(reply, word)
        # Answers are taken in their order, so the one to the last stands for all. Should others get lost when a leader
        # changes, their deliveries are taken once more, found in the archive, and skipped.
        await client.request(self._replies[-1], word, timeout=PATIENCE_SECONDS)


def _hold(link: NatsLink, client: Client, messages: list[Msg]) -> _NatsBatch:
    """The deliveries in these messages, oldest first. One that cannot be read stays where it is, and is said to be there."""
    deliveries, replies = [], []
    for message in sorted(messages, key=lambda message: message.metadata.sequence.stream):
        try:
            deliveries.append(unseal(message.data))
            replies.append(message.reply)
        except UnknownEnvelopeError as error:
            log.warning("inbox_message_unread", sequence=message.metadata.sequence.stream, reason=str(error), message="stays in the inbox")
    signs = asyncio.create_task(_give_signs(client, tuple(replies))) if replies else None
    return _NatsBatch(deliveries=tuple(deliveries), _link=link, _replies=tuple(replies), _signs=signs)


async def _give_signs(client: Client, replies: tuple[str, ...]) -> None:
    while True:
        await asyncio.sleep(_SIGN_SECONDS)
        with suppress(nats.errors.Error):
            for reply in replies:
                await client.publish(reply, Msg.Ack.Progress)


def _in_step(information: Mapping[str, Any]) -> int:
    """How many replicas have all that the leader has, itself among them; 0 while there is none."""
    cluster = information.get("cluster", {})
    if not cluster.get("leader"):
        return 0
    return 1 + sum(1 for peer in cluster.get("replicas", []) if peer.get("current") and not peer.get("offline"))


def _sent_by(word: Msg, *, asked: int, arrived: int) -> int:
    """How many messages a pull brings, by the server's word that ends it; among replicas that overtakes the messages."""
    headers = word.headers or {}
    status = headers[api.Header.STATUS]
    if status == "503":
        raise nats.errors.NoRespondersError
    if status not in {"404", "408", "409"}:  # nothing waits; the time is over; no more fits
        raise APIError(code=int(status), description=headers.get(api.Header.DESCRIPTION))
    left = headers.get("Nats-Pending-Messages")
    return arrived if left is None else asked - int(left)


def _passes(error: APIError) -> bool:
    """Whether it is so for a moment only: the id is just being kept, or a node that has a replica is just starting."""
    return error.err_code == _IN_PROCESS or (error.err_code == _NO_PEERS and "offline" in (error.description or ""))


async def _patiently(attempt: Callable[[], Awaitable[Answer]], *, seconds: float) -> Answer:
    """Try again while the cluster has no leader; the error of the last attempt counts."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await attempt()
        except (NoStreamResponseError, nats.errors.NoRespondersError, ServiceUnavailableError, nats.errors.TimeoutError):
            if loop.time() > deadline:
                raise
        except APIError as error:
            if not _passes(error) or loop.time() > deadline:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
