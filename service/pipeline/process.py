"""What happens to a batch of deliveries, in which order, in which transaction?

    read (parse, label; no database) -> one transaction: skip what was processed before, check one-time proofs,
    archive, record events, count outcomes -> commit. Only then may the batch leave the inbox.

One delivery that cannot be processed never costs the others: the batch is redone one by one and the bad one quarantined.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson
import structlog
import zstandard

from service.alerting.policy import Policy
from service.esp_kit.adapter import Adapter
from service.model.errors import HoppError, UnreadableError
from service.model.events import ConfirmSubscription, Delivery, Parsed, Problem
from service.model.moments import hour_of, to_us
from service.pipeline.incoming import Incoming
from service.pipeline.labelling import LabelledEvent, Labels, label
from service.pipeline.record import record
from service.store import ingest, proofs
from service.store.database import Connection, Database, DatabaseUnavailableError
from service.store.ingest import SourceRow

log = structlog.get_logger()
PROCESSED, QUARANTINED, NOT_AUTHENTIC = "processed", "quarantined", "not_authentic"  # states of a delivery in the archive
_ERROR_CHARACTERS = 2_000
_ARCHIVE_LEVEL = 1
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What processing stands on."""

    database: Database
    adapters: Mapping[str, Adapter]
    labels: Labels
    policy: Policy
    test_sources: frozenset[str]
    perform: Callable[[ConfirmSubscription, str], None]  # the act and its source; raises HoppError where it fails


@dataclass(frozen=True, slots=True)
class ReadDelivery:
    """A delivery and what its adapter read from it."""

    delivery: Delivery
    parsed: Parsed
    labelled: tuple[LabelledEvent, ...]


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
    read = [read_delivery(delivery, tools) for delivery in deliveries]
    for _ in range(_TRIES):
        try:
            return _commit(read, tools, now_us=now_us)
        except (DatabaseUnavailableError, ingest.RacedError):
            raise  # nothing that the data is to blame for: the batch stays where it is
        except Exception as error:  # whatever it was: once more, for another worker may have been first; then one by one
            if not tools.database.answers():
                raise DatabaseUnavailableError(tools.database.silence()) from error
            log.warning("batch_failed", deliveries=len(read), error=type(error).__name__)
    return sum((_alone(item, tools, now_us=now_us) for item in read), Processed())


def _alone(item: ReadDelivery, tools: Tools, *, now_us: int) -> Processed:
    try:
        return _commit([item], tools, now_us=now_us)
    except (DatabaseUnavailableError, ingest.RacedError):
        raise
    except Exception as error:
        log.exception("delivery_quarantined", delivery=item.delivery.id, source=item.delivery.source)
        problem = Problem(error=f"Could not be processed: {type(error).__name__}. Replay it once the cause is mended.")
        return _commit([ReadDelivery(item.delivery, Parsed(problems=(problem,)), ())], tools, now_us=now_us)


def read_delivery(delivery: Delivery, tools: Tools) -> ReadDelivery:
    """Parse and label one delivery; what cannot be read becomes a problem, never an error."""
    parsed = _parse(delivery, tools.adapters)
    problems = [problem for act in parsed.acts if (problem := _perform(act, delivery, tools)) is not None]
    if problems:
        parsed = Parsed(
            events=parsed.events,
            problems=(*parsed.problems, *problems),
            unknown_kinds=parsed.unknown_kinds,
            proof=parsed.proof,
        )
    received_us = to_us(delivery.received_at)
    labelled = tuple(label(event, source=delivery.source, received_us=received_us, labels=tools.labels) for event in parsed.events)
    return ReadDelivery(delivery, parsed, labelled)


def _parse(delivery: Delivery, adapters: Mapping[str, Adapter]) -> Parsed:
    adapter = adapters.get(delivery.esp)
    if adapter is None:
        return Parsed(problems=(Problem(error=f"There is no adapter {delivery.esp!r}. Start a version that has it, then replay."),))
    try:
        return adapter.parse(delivery)
    except UnreadableError as error:
        return Parsed(problems=(Problem(error=str(error)),))
    except Exception as error:
        log.exception("adapter_failed", delivery=delivery.id, source=delivery.source, esp=delivery.esp)
        return Parsed(problems=(Problem(error=f"The adapter {delivery.esp} failed: {type(error).__name__}. Report it, then replay."),))


def _perform(act: ConfirmSubscription, delivery: Delivery, tools: Tools) -> Problem | None:
    """Acts come before the transaction: they may be done twice, but none is forgotten by a crash."""
    try:
        tools.perform(act, delivery.source)
    except HoppError as error:
        log.warning("act_failed", delivery=delivery.id, source=delivery.source, error=str(error))
        return Problem(error=str(error))
    log.info("subscription_confirmed", delivery=delivery.id, source=delivery.source)
    return None


def _commit(read: Sequence[ReadDelivery], tools: Tools, *, now_us: int) -> Processed:
    with tools.database.write() as connection:
        sources = ingest.ensure_sources(
            connection,
            {item.delivery.source: (item.delivery.esp, item.delivery.source in tools.test_sources) for item in read},
            now_us,
        )
        read = _not_archived(connection, read)
        forged = find_forged(connection, read, now_us)
        genuine = [item for item in read if item.delivery.id not in forged]
        batch = [_incoming(item, event, sources) for item in genuine for event in item.labelled]
        recorded = record(connection, batch, policy=tools.policy, book=tools.labels.domains, now_us=now_us)
        duplicates = recorded.duplicates_by_delivery
        pack = zstandard.ZstdCompressor(level=_ARCHIVE_LEVEL).compress
        ingest.archive(connection, [_archive_row(item, sources, duplicates, forged, pack=pack) for item in read])
        ingest.count_outcomes(connection, _outcomes(read, sources, duplicates, forged))
    return Processed(
        deliveries=len(read),
        events=len(recorded.kept),
        duplicates=duplicates.total(),
        quarantined=sum(bool(item.parsed.problems) for item in read),
        touched_domains=recorded.touched_domains,
    )


def _not_archived(connection: Connection, read: Sequence[ReadDelivery]) -> list[ReadDelivery]:
    """What was processed before a crash is skipped whole; so is the same delivery twice in one batch."""
    done = ingest.archived_ids(connection, sorted({item.delivery.id for item in read}))
    return list({item.delivery.id: item for item in read if item.delivery.id not in done}.values())


def find_forged(connection: Connection, read: Sequence[ReadDelivery], now_us: int) -> set[str]:
    """Ids of deliveries whose one-time token vouched for another event before."""
    claims: dict[bytes, bytes] = {}
    holders: dict[str, tuple[bytes, bytes]] = {}
    for item in read:
        if item.parsed.proof is None:
            continue
        # Whatever the source: a key is the account's, and two sources may share it.
        key = _digest(f"{item.delivery.esp}\n{item.parsed.proof.token}")
        subject = _digest(item.parsed.proof.subject)
        claims.setdefault(key, subject)
        holders[item.delivery.id] = (key, subject)
    vouched_for = proofs.claim_proofs(connection, claims, now_us)
    return {id_ for id_, (key, subject) in holders.items() if vouched_for[key] != subject}


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _incoming(item: ReadDelivery, event: LabelledEvent, sources: Mapping[str, SourceRow]) -> Incoming:
    return Incoming(event, sources[item.delivery.source], item.delivery.id, to_us(item.delivery.received_at), teaches_lag=True)


def state_of(item: ReadDelivery, *, is_forged: bool) -> tuple[str, str | None]:
    """What became of a delivery, and why (part of) it could not be read."""
    if is_forged:
        return NOT_AUTHENTIC, "Its one-time token came before with another event: the body was forged. Rotate the signing key."
    problems = item.parsed.problems
    if not problems:
        return PROCESSED, None
    return QUARANTINED, "\n".join(f"{problem.error} {problem.fragment}".strip() for problem in problems)[:_ERROR_CHARACTERS]


def _archive_row(
    item: ReadDelivery,
    sources: Mapping[str, SourceRow],
    duplicates: Counter[str],
    forged: set[str],
    *,
    pack: Callable[[bytes], bytes],
) -> tuple[object, ...]:
    """The row of one delivery, in the order of DELIVERY_COLUMNS."""
    delivery = item.delivery
    state, error = state_of(item, is_forged=delivery.id in forged)
    return (
        delivery.id,
        sources[delivery.source].id,
        to_us(delivery.received_at),
        state,
        0 if state == NOT_AUTHENTIC else len(item.labelled),
        duplicates[delivery.id],
        len(item.parsed.problems),
        error,
        delivery.content_type,
        orjson.dumps(dict(delivery.headers)).decode(),
        delivery.query,
        pack(delivery.body),
    )


def _outcomes(
    read: Sequence[ReadDelivery], sources: Mapping[str, SourceRow], duplicates: Counter[str], forged: set[str]
) -> Counter[tuple[int, int, str]]:
    """Nothing disappears: whatever was received is counted under what became of it."""
    counts: Counter[tuple[int, int, str]] = Counter()
    for item in read:
        source_id, hour = sources[item.delivery.source].id, hour_of(to_us(item.delivery.received_at))
        counts[source_id, hour, "deliveries"] += 1
        if item.delivery.id in forged:
            counts[source_id, hour, "not_authentic"] += 1
            continue
        counts[source_id, hour, "events"] += len(item.labelled) - duplicates[item.delivery.id]
        counts[source_id, hour, "duplicates"] += duplicates[item.delivery.id]
        counts[source_id, hour, "unknown_kinds"] += len(item.parsed.unknown_kinds)
        counts[source_id, hour, "from_the_future"] += sum(event.reported_us is not None for event in item.labelled)
        counts[source_id, hour, "problems"] += len(item.parsed.problems)
        counts[source_id, hour, "quarantined"] += bool(item.parsed.problems)
    return +counts
