"""What happens to a batch of deliveries, in which order, in which transaction?

    read (parse, label; no database) -> one transaction: skip what was processed before, check one-time proofs,
    keep events, archive, roll up, count outcomes -> commit. Only then may the batch leave the inbox.

One delivery that cannot be processed never costs the others: the batch is redone one by one and the bad one quarantined.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson
import structlog

from service.model.events import Delivery, Parsed, Problem
from service.model.moments import hour_of
from service.model.words import DeliveryState
from service.pipeline.incoming import Incoming
from service.pipeline.reading import ReadDelivery, Tools, read_delivery
from service.pipeline.record import keep, roll_up
from service.pipeline.telling import tell_quarantined
from service.store import ingest, proofs
from service.store.database import Connection, DatabaseUnavailableError
from service.store.ingest import SourceRow
from service.store.packing import pack_archived

log = structlog.get_logger()
_ERROR_CHARACTERS = 2_000
_NO_DIGEST = blake2b(digest_size=16)  # copied for each digest, which costs half of making one
_TRIES = 2
_RACES = 3  # lost to other workers in a row, before the batch waits
_OUTCOMES = ("deliveries", "not_authentic", "events", "duplicates", "unknown_kinds", "from_the_future", "problems", "quarantined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What became of a batch, in numbers."""

    deliveries: int = 0
    events: int = 0
    duplicates: int = 0
    quarantined: int = 0
    touched_domains: frozenset[str] = field(default_factory=frozenset)

    def __add__(self, other: "Processed") -> "Processed":
        return Processed(
            deliveries=self.deliveries + other.deliveries,
            events=self.events + other.events,
            duplicates=self.duplicates + other.duplicates,
            quarantined=self.quarantined + other.quarantined,
            touched_domains=self.touched_domains | other.touched_domains,
        )


def process(deliveries: Sequence[Delivery], tools: Tools, *, now_us: int) -> Processed:
    """Process a batch, durably. Raises DatabaseUnavailableError where nothing could be done: the batch then stays where it is."""
    if not deliveries:
        return Processed()
    with _collector_at_rest():
        return _process(deliveries, tools, now_us=now_us)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """It would walk through a batch again and again while that grows, for an eighth of the time; and a batch holds no cycles."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def _process(deliveries: Sequence[Delivery], tools: Tools, *, now_us: int) -> Processed:
    read = [read_delivery(delivery, tools) for delivery in deliveries]
    for _ in range(_TRIES):
        try:
            return _commit_unraced(read, tools, now_us=now_us)
        except (DatabaseUnavailableError, ingest.RacedError):
            raise  # nothing that the data is to blame for: the batch stays where it is
        except Exception as error:  # whatever it was: once more, for another worker may have been first; then one by one
            if not tools.database.answers():
                raise DatabaseUnavailableError(tools.database.silence()) from error
            log.warning("batch_failed", deliveries=len(read), error=type(error).__name__)
    return sum((_alone(item, tools, now_us=now_us) for item in read), Processed())


def _commit_unraced(read: Sequence[ReadDelivery], tools: Tools, *, now_us: int) -> Processed:
    """Whoever wrote the same people first has committed by the time that we hear of it, so the next try mostly finds them."""
    for _ in range(_RACES):
        try:
            return _commit(read, tools, now_us=now_us)
        except ingest.RacedError:
            log.info("batch_raced", deliveries=len(read))
    return _commit(read, tools, now_us=now_us)


def _alone(item: ReadDelivery, tools: Tools, *, now_us: int) -> Processed:
    try:
        return _commit([item], tools, now_us=now_us)
    except (DatabaseUnavailableError, ingest.RacedError):
        raise
    except Exception as error:
        log.exception("delivery_failed", delivery=item.delivery.id, source=item.delivery.source)
        problem = Problem(error=f"Could not be processed: {type(error).__name__}. Replay it once the cause is mended.")
        return _commit([ReadDelivery(item.delivery, item.received_us, Parsed(problems=(problem,)), ())], tools, now_us=now_us)


def _commit(read: Sequence[ReadDelivery], tools: Tools, *, now_us: int) -> Processed:
    with tools.database.write() as connection:
        sources = ingest.ensure_sources(
            connection,
            {item.delivery.source: (item.delivery.esp, item.delivery.source in tools.test_sources) for item in read},
            now_us,
        )
        read = _not_archived(connection, read)
        forged = find_forged(connection, read, now_us)
        genuine = [item for item in read if item.delivery.id not in forged] if forged else read
        recorded = keep(connection, _incoming(genuine, sources), tools.policy)
        duplicates = recorded.duplicates_by_delivery
        ingest.archive(connection, [_archive_row(item, sources, duplicates, forged) for item in read])
        roll_up(connection, recorded, policy=tools.policy, book=tools.labels.domains, now_us=now_us)
        ingest.count_outcomes(connection, _outcomes(read, sources, duplicates, forged))
    unread = [item for item in read if item.parsed.problems]
    tell_quarantined((item.delivery, item.parsed.problems[0].error) for item in unread)
    return Processed(
        deliveries=len(read),
        events=len(recorded.kept),
        duplicates=duplicates.total(),
        quarantined=len(unread),
        touched_domains=recorded.touched_domains,
    )


def _not_archived(connection: Connection, read: Sequence[ReadDelivery]) -> list[ReadDelivery]:
    """What was processed before a crash is skipped whole; so is the same delivery twice in one batch."""
    done = ingest.archived_ids(connection, {item.delivery.id: item.received_us for item in read})
    return list({item.delivery.id: item for item in read if item.delivery.id not in done}.values())


def find_forged(connection: Connection, read: Sequence[ReadDelivery], now_us: int) -> set[str]:
    """Ids of deliveries whose one-time token vouched for another event before."""
    claims: dict[bytes, bytes] = {}
    holders: list[tuple[str, bytes, bytes]] = []
    for item in read:
        proof = item.parsed.proof
        if proof is None:
            continue
        # Whatever the source: a key is the account's, and two sources may share it.
        key = _digest(f"{item.delivery.esp}\n{proof.token}")
        subject = _digest(proof.subject)
        claims.setdefault(key, subject)
        holders.append((item.delivery.id, key, subject))
    vouched_for = proofs.claim_proofs(connection, claims, now_us)
    return {id_ for id_, key, subject in holders if vouched_for[key] != subject}


def _digest(text: str) -> bytes:
    digest = _NO_DIGEST.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _incoming(read: Sequence[ReadDelivery], sources: Mapping[str, SourceRow]) -> list[Incoming]:
    return [
        Incoming(event, sources[item.delivery.source], item.delivery.id, item.received_us, teaches_lag=True)
        for item in read
        for event in item.labelled
    ]


def state_of(item: ReadDelivery, *, is_forged: bool) -> tuple[DeliveryState, str | None]:
    """What became of a delivery, and why (part of) it could not be read."""
    if is_forged:
        return (
            DeliveryState.NOT_AUTHENTIC,
            "Its one-time token came before with another event: the body was forged. Rotate the signing key.",
        )
    problems = item.parsed.problems
    if not problems:
        return DeliveryState.PROCESSED, None
    error = "\n".join(f"{problem.error} {problem.fragment}".strip() for problem in problems)
    return DeliveryState.QUARANTINED, error[:_ERROR_CHARACTERS]


def _archive_row(
    item: ReadDelivery,
    sources: Mapping[str, SourceRow],
    duplicates: Counter[str],
    forged: set[str],
) -> tuple[object, ...]:
    """The row of one delivery, in the order of DELIVERY_COLUMNS."""
    delivery = item.delivery
    state, error = state_of(item, is_forged=delivery.id in forged)
    return (
        delivery.id,
        sources[delivery.source].id,
        item.received_us,
        str(state),
        0 if state is DeliveryState.NOT_AUTHENTIC else len(item.labelled),
        duplicates[delivery.id],
        len(item.parsed.problems),
        error,
        delivery.content_type,
        orjson.dumps(delivery.headers).decode(),
        delivery.query,
        pack_archived(delivery.body),
    )


def _outcomes(
    read: Sequence[ReadDelivery], sources: Mapping[str, SourceRow], duplicates: Counter[str], forged: set[str]
) -> Counter[tuple[int, int, str]]:
    """Nothing disappears: whatever was received is counted under what became of it."""
    hours: dict[tuple[int, int], list[ReadDelivery]] = defaultdict(list)
    for item in read:
        hours[sources[item.delivery.source].id, hour_of(item.received_us)].append(item)
    counts: Counter[tuple[int, int, str]] = Counter()
    for (source_id, hour), items in hours.items():
        for outcome, amount in zip(_OUTCOMES, _amounts(items, duplicates, forged), strict=True):
            counts[source_id, hour, outcome] = amount
    return +counts


def _amounts(items: Sequence[ReadDelivery], duplicates: Counter[str], forged: set[str]) -> tuple[int, ...]:
    """How often each of _OUTCOMES came of these deliveries; of a forged one comes nothing else."""
    genuine = [item for item in items if item.delivery.id not in forged] if forged else items
    events = sum([len(item.labelled) for item in genuine])
    repeated = sum([duplicates[item.delivery.id] for item in genuine]) if duplicates else 0
    unknown = sum([len(item.parsed.unknown_kinds) for item in genuine])
    from_the_future = sum([event.reported_us is not None for item in genuine for event in item.labelled])
    problems = [len(item.parsed.problems) for item in genuine]
    quarantined = len(problems) - problems.count(0)
    return (len(items), len(items) - len(genuine), events - repeated, repeated, unknown, from_the_future, sum(problems), quarantined)
