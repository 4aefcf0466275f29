"""How does a batch of labelled events become rows? A fold: any order and any repetition gives the same tables.

The order of the steps matters and is the order of the calls in `record`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from service.alerting.counting import Cell
from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.model.events import Event
from service.model.moments import hour_of
from service.model.words import Label
from service.pipeline.count import Counted, count
from service.pipeline.domains import update_domains
from service.pipeline.incoming import Incoming
from service.store import ingest, kept
from service.store.answers import ReplyKey, add_replies, said_of
from service.store.database import Connection
from service.store.ingest import RecipientRow

_NOT_COUNTED = Cell.NOT_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch."""

    kept: tuple[Incoming, ...]
    duplicates_by_delivery: Counter[str]
    touched_domains: frozenset[str]
    counted: Counted


def record(connection: Connection, batch: Sequence[Incoming], *, policy: Policy, book: DomainBook, now_us: int) -> Recorded:
    """Write a batch in the open transaction, and schedule the checks that it calls for."""
    recorded = keep(connection, batch, policy)
    roll_up(connection, recorded, policy=policy, book=book, now_us=now_us)
    return recorded


def keep(connection: Connection, batch: Sequence[Incoming], policy: Policy) -> Recorded:
    """Write the people and the events of a batch: rows that hardly ever two workers want at once.

    1. Recipients are locked before event keys are claimed: after that, nobody else can add one of theirs.
    2. Recipients are folded before anything is written: the cell is a column of the event, and new people are written once.
    """
    unique = {item.labelled.key: item for item in reversed(batch)}  # of two copies the first one stays
    known_people = ingest.lock_recipients(connection, list({item.address for item in batch if item.address}))
    fresh_keys = kept.claim_event_keys(connection, {key: item.received_us for key, item in unique.items()})
    fresh = {key: item for key, item in reversed(unique.items()) if key in fresh_keys}
    new = tuple(fresh.values())
    counted, ids = _count_people(connection, fresh, known_people, policy)
    ingest.insert_events(connection, [_event_row(item, ids, counted.cells) for item in new])
    ingest.change_cells(connection, counted.corrected)
    return Recorded(
        kept=new,
        duplicates_by_delivery=_duplicates(batch, new),
        touched_domains=frozenset(domain for domain, *_ in counted.hourly),
        counted=counted,
    )


def roll_up(connection: Connection, recorded: Recorded, *, policy: Policy, book: DomainBook, now_us: int) -> None:
    """Add a batch to hours, domains, lags, checks and replies.

    It comes last in a transaction, for these are the rows that all workers want, and each holds them until its commit.
    """
    ingest.add_hourly(connection, recorded.counted.hourly)
    update_domains(connection, recorded.kept, recorded.counted.cells, policy=policy, book=book, now_us=now_us)
    add_replies(connection, _replies(recorded.kept))


def _duplicates(batch: Sequence[Incoming], new: Sequence[Incoming]) -> Counter[str]:
    if len(new) == len(batch):  # nearly always
        return Counter()
    return Counter(item.delivery_id for item in batch) - Counter(item.delivery_id for item in new)


def _replies(new: Sequence[Incoming]) -> dict[ReplyKey, list[int]]:
    """How many answers came by hour, source and gateway, and how many of them no rule knows."""
    counts: dict[ReplyKey, list[int]] = defaultdict(lambda: [0, 0])
    for item in new:
        said = item.labelled.classification
        if said is not None:
            found = counts[hour_of(item.received_us), item.source.id, item.labelled.gateway]
            found[0] += 1
            found[1] += said.label is Label.UNDETERMINED
    return counts


def _count_people(
    connection: Connection, fresh: Mapping[bytes, Incoming], known: Mapping[str, RecipientRow], policy: Policy
) -> tuple[Counted, dict[str, int]]:
    """Count new events and write what they say about people; returns the ids of all who are in them, too."""
    counted = count(connection, fresh, known, policy)
    unknown = {item.address for item in fresh.values() if item.address and item.address not in known}
    added = ingest.add_recipients(connection, {address: counted.recipients.get(address, RecipientRow()) for address in unknown})
    if len(added) < len(unknown):  # another worker met them first, and has told what it knows of them
        known = {**known, **ingest.lock_overtaken(connection, unknown - added.keys())}
        counted = count(connection, fresh, known, policy)
    ingest.save_recipients(connection, [row for address, row in counted.recipients.items() if address in known])
    return counted, {address: row.id for address, row in known.items()} | added


def _event_row(item: Incoming, ids: Mapping[str, int], cells: Mapping[bytes, Cell]) -> tuple[object, ...]:
    """The row of one event, in the order of EVENT_COLUMNS."""
    labelled = item.labelled
    event = labelled.event
    return (
        labelled.key,
        item.delivery_id,
        item.source.id,
        ids[event.recipient] if event.recipient else None,
        labelled.domain,
        str(event.kind),
        labelled.occurred_us,
        labelled.reported_us,
        item.received_us,
        int(cells.get(labelled.key, _NOT_COUNTED)),
        event.esp,
        str(event.phase),
        event.reported_type and str(event.reported_type),
        labelled.counts_as_hard,
        *said_of(labelled.classification),
        labelled.gateway,
        event.smtp_code,
        event.enhanced_status_code,
        event.smtp_stage and str(event.smtp_stage),
        event.diagnostic,
        event.message_id,
        event.esp_event_id,
        event.esp_event_type,
        event.esp_class,
        event.esp_subclass,
        event.remote_host,
        event.remote_ip,
        event.sending_ip,
        event.campaign,
        event.suppressed_by_esp,
        _extra(event),
    )


def _extra(event: Event) -> str | None:
    """Tags, metadata and subject as JSON, as far as there are any."""
    present: dict[str, object] = {}
    if event.tags:
        present["tags"] = event.tags
    if event.metadata:
        present["metadata"] = event.metadata
    if event.subject:
        present["subject"] = event.subject
    return orjson.dumps(present).decode() if present else None
