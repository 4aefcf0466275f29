"""What becomes of an archived delivery when it is read once more, by the program as it is now?

It goes through the steps that a new delivery goes through, but its archive row is changed instead of added, what it
counted when it came is not counted again, and it teaches no lag. Events that are known already stay as they are, so
the second replay changes nothing.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import structlog

from service.model.events import ConfirmSubscription
from service.model.moments import hour_of, to_us
from service.model.words import DeliveryState
from service.pipeline.incoming import Incoming
from service.pipeline.process import find_forged, state_of
from service.pipeline.reading import ReadDelivery, Tools, read_delivery
from service.pipeline.record import record
from service.store import archive, ingest
from service.store.archive import Archived, Outcome
from service.store.database import Connection, DatabaseUnavailableError

log = structlog.get_logger()
REPLAYABLE = (DeliveryState.QUARANTINED.value, DeliveryState.PROCESSED.value)  # what is not authentic stays out, whatever reads it
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of one archived delivery."""

    archived: Archived
    now: Outcome  # as it was, where it could not be replayed
    events: int = 0  # that were not known before
    failure: str | None = None  # why it could not be replayed

    @property
    def is_changed(self) -> bool:
        """True where the replay changes anything."""
        return self.events > 0 or self.now != self.archived.outcome


class _DryRunError(Exception):
    """Ends a transaction of which nothing may be kept."""


def replay(archived: Sequence[Archived], tools: Tools, *, now_us: int, is_dry_run: bool) -> list[Replayed]:
    """Replay deliveries in one transaction, or one by one where that fails; a dry run keeps nothing of it.

    What an adapter asks to be done (confirm a subscription) is done again for quarantined deliveries only.
    """
    if not archived:
        return []
    read = [_read(item, tools, is_dry_run=is_dry_run) for item in archived]
    failure = ""
    for _ in range(_TRIES):
        try:
            return _replay(archived, read, tools, now_us=now_us, is_dry_run=is_dry_run)
        except Exception as error:  # whatever it was: once more, for a worker may have been first; then one by one
            if not tools.database.answers():
                raise DatabaseUnavailableError(tools.database.silence()) from error
            failure = type(error).__name__
            log.warning("replay_failed", deliveries=len(archived), error=failure)
    if len(archived) > 1:
        return [found for item in archived for found in replay([item], tools, now_us=now_us, is_dry_run=is_dry_run)]
    return [Replayed(archived=archived[0], now=archived[0].outcome, failure=failure)]


def _read(item: Archived, tools: Tools, *, is_dry_run: bool) -> ReadDelivery:
    acts = item.outcome.state == DeliveryState.QUARANTINED and not is_dry_run
    return read_delivery(item.delivery, tools if acts else replace(tools, perform=_leave))


def _leave(act: ConfirmSubscription, source: str) -> None:
    """What was done when the delivery came is not done again."""


def _replay(archived: Sequence[Archived], read: Sequence[ReadDelivery], tools: Tools, *, now_us: int, is_dry_run: bool) -> list[Replayed]:
    found: list[Replayed] = []
    try:
        with tools.database.write() as connection:
            found = _replay_in(connection, archived, read, tools, now_us=now_us)
            _end(is_dry_run=is_dry_run)
    except _DryRunError:
        return found
    return found


def _end(*, is_dry_run: bool) -> None:
    if is_dry_run:
        raise _DryRunError


def _replay_in(
    connection: Connection, archived: Sequence[Archived], read: Sequence[ReadDelivery], tools: Tools, *, now_us: int
) -> list[Replayed]:
    """Write a batch in the open transaction; deliveries whose state was changed by somebody else meanwhile are left out."""
    states = archive.lock_states(connection, [item.delivery.id for item in archived])
    still = [(item, new) for item, new in zip(archived, read, strict=True) if states.get(item.delivery.id) == item.outcome.state]
    forged = find_forged(connection, [new for _, new in still], now_us)
    batch = [
        Incoming(event, item.source, item.delivery.id, to_us(item.delivery.received_at), teaches_lag=False)
        for item, new in still
        if item.delivery.id not in forged
        for event in new.labelled
    ]
    recorded = record(connection, batch, policy=tools.policy, book=tools.labels.domains, now_us=now_us)
    brought = archive.load_brought(connection, {item.received_us for item in batch})
    kept = Counter(item.delivery_id for item in recorded.kept)
    replayed = [
        Replayed(
            archived=item,
            now=_outcome(new, brought, is_forged=item.delivery.id in forged),
            events=kept[item.delivery.id],
        )
        for item, new in still
    ]
    archive.save_outcomes(connection, [(item.archived.delivery.id, item.now) for item in replayed if item.is_changed])
    ingest.count_outcomes(connection, _counts(replayed))
    return replayed


def _outcome(read: ReadDelivery, brought: Collection[tuple[str, bytes]], *, is_forged: bool) -> Outcome:
    state, error = state_of(read, is_forged=is_forged)
    own = {event.key for event in read.labelled if (read.delivery.id, event.key) in brought}
    events = 0 if is_forged else len(read.labelled)
    return Outcome(
        state=state.value,
        event_count=events,
        duplicate_count=max(events - len(own), 0),
        problem_count=len(read.parsed.problems),
        error=error,
    )


def _counts(replayed: Sequence[Replayed]) -> Counter[tuple[int, int, str]]:
    """Counts only grow: what was quarantined stays counted as that, and is counted as released beside it."""
    counts: Counter[tuple[int, int, str]] = Counter()
    for item in replayed:
        if not item.is_changed:
            continue
        before, after = item.archived.outcome.state, item.now.state
        is_released = before == DeliveryState.QUARANTINED and after == DeliveryState.PROCESSED
        source_id, hour = item.archived.source.id, hour_of(to_us(item.archived.delivery.received_at))
        counts[source_id, hour, "events"] += item.events
        counts[source_id, hour, "released"] += is_released
        counts[source_id, hour, DeliveryState.NOT_AUTHENTIC.value] += after == DeliveryState.NOT_AUTHENTIC
    return +counts
