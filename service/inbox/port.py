"""What must every inbox offer?

An inbox keeps raw deliveries between the web, which appends, and the worker, which takes batches. Both may be killed at
any moment: a delivery is settled only once it is durable, and leaves only through `Batch.done`, so the worst that can
happen is that one is taken twice. Every method raises InboxUnavailableError where the inbox does not answer.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Protocol, TypeAlias, runtime_checkable

from service.model.errors import HoppError
from service.model.events import Delivery

Settled: TypeAlias = Callable[[Exception | None], None]


class WorkerAlreadyRunningError(HoppError):
    """Another worker holds this inbox, which serves exactly one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWaiting:
    """How much of one source waits, among the oldest deliveries."""

    waiting: int
    oldest_received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxState:
    """How much waits in the inbox."""

    waiting: int
    oldest_received_at: datetime | None
    sources: Mapping[str, SourceWaiting] | None = None  # None where the inbox cannot tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the servers behind a replicated inbox say about themselves and it."""

    version: str
    max_payload: int  # the largest message that they take, in bytes
    replicas: int
    in_step: int  # replicas that have all that was appended


class Batch(Protocol):
    """Deliveries that one worker holds; nobody else gets them while it does."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """What was taken, oldest first; may be empty."""

    def done(self) -> None:
        """Remove them for good. May be called once, after the main database has committed."""


class Inbox(Protocol):
    """Where raw deliveries wait."""

    def prepare(self) -> None:
        """Create what is missing on disk or in the database. May be called any number of times."""

    def begin(self, delivery: Delivery, settled: Settled) -> None:
        """Keep one delivery durably, without waiting for it; deliveries that come together share one sync.

        `settled` is called once, from any thread: with None once the delivery is durable, with InboxUnavailableError where it may
        be tried again, with BodyTooLargeError where that would help nobody. It must not wait for anything.
        """

    def append(self, delivery: Delivery) -> None:
        """Keep one delivery and return once it is durable; raises what else it is settled with."""
        outcome: SimpleQueue[Exception | None] = SimpleQueue()
        self.begin(delivery, outcome.put)
        error = outcome.get()
        if error is not None:
            raise error

    def take(self, limit: int) -> AbstractContextManager[Batch]:
        """Hold up to `limit` deliveries, fewer where they are large, until the block ends; those not `done` by then wait again."""

    def state(self) -> InboxState:
        """How much waits; cheap enough for every scrape of /metrics."""

    def close(self) -> None:
        """Give back files and connections."""


@runtime_checkable
class Exclusive(Protocol):
    """An inbox that may serve one worker at a time."""

    def hold(self) -> None:
        """Be that worker until closed; raises WorkerAlreadyRunningError where another one is."""


@runtime_checkable
class Replicated(Protocol):
    """An inbox that several servers keep."""

    @property
    def described(self) -> str:
        """Where it is, without what proves who we are."""

    def standing(self) -> Standing:
        """What stands behind it; raises InboxUnavailableError where it does not answer or was never prepared."""
