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
from service.store import ingest
from service.store.answers import ReplyKey, add_replies
from service.store.database import Connection
from service.store.ingest import RecipientRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch."""

    kept: tuple[Incoming, ...]
    duplicates_by_delivery: Counter[str]
    touched_domains: frozenset[str]


def record(connection: Connection, batch: Sequence[Incoming], *, policy: Policy, book: DomainBook, now_us: int) -> Recorded:
    """Write a batch in the open transaction, and schedule the checks that it calls for.

    1. Recipients are locked before known events are looked up: after that, nobody else can add one of theirs.
    2. Recipients are folded before anything is written: the cell is a column of the event, and new people are written once.
    3. Domains, lags, checks and hours of replies come last: they are the rows that several workers want, and are held only
       until the commit.
    """
    unique = list({item.labelled.key: item for item in reversed(batch)}.values())[::-1]
    known_people = ingest.lock_recipients(connection, list({item.address for item in unique if item.address}))
    known_keys = ingest.known_event_keys(connection, [item.labelled.key for item in unique])
    new = [item for item in unique if item.labelled.key not in known_keys]
    counted = count(connection, new, known_people, policy)
    ids = _save_people(connection, new, known_people, counted)
    ingest.insert_events(connection, [_event_row(item, ids, counted.cells) for item in new])
    ingest.change_cells(connection, counted.corrected)
    ingest.add_hourly(connection, counted.hourly)
    update_domains(connection, new, counted.cells, policy=policy, book=book, now_us=now_us)
    add_replies(connection, _replies(new))
    return Recorded(
        kept=tuple(new),
        duplicates_by_delivery=Counter(item.delivery_id for item in batch) - Counter(item.delivery_id for item in new),
        touched_domains=frozenset(item.labelled.domain for item in new if item.is_attempt),
    )


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


def _save_people(connection: Connection, new: Sequence[Incoming], known: Mapping[str, RecipientRow], counted: Counted) -> dict[str, int]:
    """Write what the batch says about people; returns the ids of all who are in it."""
    ids = {address: row.id for address, row in known.items()}
    unknown = {item.address for item in new if item.address and item.address not in known}
    ids |= ingest.add_recipients(connection, {address: counted.recipients.get(address, RecipientRow()) for address in unknown})
    ingest.save_recipients(connection, [row for address, row in counted.recipients.items() if address in known])
    return ids


def _event_row(item: Incoming, ids: Mapping[str, int], cells: Mapping[bytes, Cell]) -> tuple[object, ...]:
    """The row of one event, in the order of EVENT_COLUMNS."""
    labelled, event, said = item.labelled, item.labelled.event, item.labelled.classification
    return (
        labelled.key,
        item.delivery_id,
        item.source.id,
        ids[event.recipient] if event.recipient else None,
        labelled.domain,
        event.kind.value,
        labelled.occurred_us,
        labelled.reported_us,
        item.received_us,
        int(cells.get(labelled.key, Cell.NOT_COUNTED)),
        event.esp,
        event.phase.value,
        event.reported_type and event.reported_type.value,
        labelled.counts_as_hard,
        *((said.label.value, said.group, said.persistence.value, said.doubt.value, said.rule) if said else (None,) * 5),
        said and said.vendor,
        said and said.evidence,
        labelled.gateway,
        event.smtp_code,
        event.enhanced_status_code,
        event.smtp_stage and event.smtp_stage.value,
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
    extra = {"tags": event.tags, "metadata": event.metadata, "subject": event.subject}
    present = {name: value for name, value in extra.items() if value}
    return orjson.dumps(present).decode() if present else None
