"""How are the answers of stored events read again, and their labels changed?

Counts that hang on a label are changed in the same transaction: `reply_hourly` here, people and roll-ups in `ingest`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from service.alerting.counting import DELIVERED_CELLS, Cell
from service.model.events import Classification, Event
from service.model.words import EventKind, ReportedType, SmtpStage
from service.store import bulk
from service.store.database import Database
from service.store.reading.paging import Order, read_parts
from service.store.reading.received import received
from service.store.reply_tables import reply_hourly, rule_sets
from service.store.tables import events, recipient_domains, recipients, sources

_AT_ONCE = 2_000
_SAID_COLUMNS = ("label", "label_group", "persistence", "doubt", "rule", "vendor", "evidence")
_SAID_NOTHING = (None,) * len(_SAID_COLUMNS)
_LABEL_COLUMNS = (*_SAID_COLUMNS, "gateway", "counts_as_hard")
_COLUMNS = (
    "id", "event_key", "received_us", "occurred_us", "source_id", "recipient_id", "domain", "kind", "cell", "esp", "reported_type",
    "smtp_code", "enhanced_status_code", "smtp_stage", "diagnostic", "remote_host", "esp_class", "esp_subclass", *_LABEL_COLUMNS,
)  # fmt: skip

ReplyKey = tuple[int, int, str]  # hour of receipt, source, gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFilter:
    """Which events are asked for, by when they were received; None asks for any."""

    kinds: tuple[str, ...]
    source: str | None = None
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValues:
    """All that a rule set decides of an event."""

    label: str | None
    label_group: str | None
    persistence: str | None
    doubt: str | None
    rule: str | None
    vendor: str | None
    evidence: str | None
    gateway: str
    counts_as_hard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """A stored event with what the classifier may look at, and what it said."""

    id: int
    key: bytes
    received_us: int
    occurred_us: int
    source_id: int
    recipient_id: int | None
    domain: str
    is_attempt: bool
    event: Event
    values: LabelValues


def said_of(said: Classification | None) -> tuple[str | None, ...]:
    """What is stored of a classification, from `label` to `evidence`."""
    if said is None:
        return _SAID_NOTHING
    return (str(said.label), said.group, str(said.persistence), str(said.doubt), said.rule, said.vendor, said.evidence)


def values_of(said: Classification | None, *, gateway: str, counts_as_hard: bool) -> LabelValues:
    """The same, and what was made of it."""
    return LabelValues(**dict(zip(_SAID_COLUMNS, said_of(said), strict=True)), gateway=gateway, counts_as_hard=counts_as_hard)


def count_answers(database: Database, wanted: AnswerFilter) -> int:
    """How many events are asked for."""
    statement = select(func.count()).select_from(events).join(sources, sources.c.id == events.c.source_id).where(*_conditions(wanted))
    with database.read() as connection:
        return connection.execute(statement).scalar_one()


def load_answers(database: Database, wanted: AnswerFilter) -> Iterator[tuple[StoredAnswer, ...]]:
    """Events oldest received first, some at a time, so that no transaction is long."""
    statement = (
        select(*(events.c[name] for name in _COLUMNS), recipients.c.address)
        .join(sources, sources.c.id == events.c.source_id)
        .outerjoin(recipients, recipients.c.id == events.c.recipient_id)
        .where(*_conditions(wanted))
    )
    order = Order(at=events.c.received_us, id=events.c.id, ascending=True)
    return read_parts(database, statement, order, _answer_to_somebody, at_once=_AT_ONCE)


def load_addresses(connection: Connection, recipient_ids: Sequence[int]) -> list[str]:
    """The addresses of these recipients."""
    return [row[0] for row in bulk.select_in(connection, recipients, ("address",), key="id", values=recipient_ids)]


def lock_answers(connection: Connection, ids: Sequence[int]) -> list[StoredAnswer]:
    """These events as they are now; the rows are ours until the transaction ends."""
    return [_answer(row) for row in bulk.select_in(connection, events, _COLUMNS, key="id", values=sorted(ids), lock=bulk.Lock.WAIT)]


def save_labels(connection: Connection, labels: Mapping[int, LabelValues]) -> None:
    """Write what a rule set decides of these events, by their ids."""
    rows = [(*(getattr(labels[id_], name) for name in _LABEL_COLUMNS), id_) for id_ in sorted(labels)]
    bulk.update(connection, events, "id", _LABEL_COLUMNS, rows)


def add_replies(connection: Connection, counts: Mapping[ReplyKey, Sequence[int]]) -> None:
    """Add to the counts of answers: each value is how many came, and how many no rule knows."""
    rows = [(*key, *counts[key]) for key in sorted(counts)]
    columns = ("hour", "source_id", "gateway", "answered", "undetermined")
    sets = bulk.added(columns[3:], reply_hourly)
    bulk.upsert(connection, reply_hourly, columns, rows, conflict=f"(hour, source_id, gateway) DO UPDATE SET {sets}")


def drop_empty_replies(connection: Connection) -> None:
    """Forget counts of which nothing is left, once labels were changed."""
    connection.execute(reply_hourly.delete().where(reply_hourly.c.answered == 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedGateway:
    """A gateway that attempts to one domain named, and the first and last of them that did."""

    gateway: str
    remote_host: str | None
    first_id: int
    last_id: int


def load_named_gateways(connection: Connection, domain: str) -> list[NamedGateway]:
    """What the stored attempts to a domain say about its gateway."""
    columns = (events.c.gateway, events.c.remote_host)
    statement = (
        select(*columns, func.min(events.c.id).label("first_id"), func.max(events.c.id).label("last_id"))
        .where(events.c.domain == domain, events.c.gateway != "", events.c.cell != Cell.NOT_COUNTED)
        .group_by(*columns)
    )
    return [NamedGateway(**row._asdict()) for row in connection.execute(statement)]


def find_last_hard_us(connection: Connection, domain: str) -> int:
    """When a hard bounce of this domain last occurred; 0 = never."""
    statement = (
        select(events.c.occurred_us)
        .where(events.c.domain == domain, events.c.counts_as_hard.is_(True), events.c.cell != Cell.NOT_COUNTED)
        .order_by(events.c.occurred_us.desc())
        .limit(1)
    )
    return connection.execute(statement).scalar() or 0


def count_delivered_after(connection: Connection, domain: str, after_us: int) -> int:
    """How many deliveries to this domain are newer."""
    cells = [int(cell) for cell in DELIVERED_CELLS]
    statement = select(func.count()).where(events.c.domain == domain, events.c.occurred_us > after_us, events.c.cell.in_(cells))
    return connection.execute(statement).scalar_one()


def correct_domains(connection: Connection, rows: Mapping[str, tuple[str, str, int, int]]) -> None:
    """Write class, gateway, last hard bounce and deliveries since, of domains whose rows are locked."""
    columns = ("domain_class", "gateway", "last_hard_us", "delivered_since_hard")
    bulk.update(connection, recipient_domains, "domain", columns, [(*rows[domain], domain) for domain in sorted(rows)])


def note_rules(connection: Connection, version: str, now_us: int) -> None:
    """Remember since when these rules are in use."""
    bulk.upsert(connection, rule_sets, ("version", "first_used_us"), [(version, now_us)], conflict="(version) DO NOTHING")


def note_replayed(connection: Connection, version: str, now_us: int) -> None:
    """Remember that all stored events were labelled with these rules."""
    note_rules(connection, version, now_us)
    connection.execute(rule_sets.update().where(rule_sets.c.version == version).values(replayed_us=now_us))


def find_rules(connection: Connection, version: str) -> tuple[int, int | None] | None:
    """Since when these rules are in use, and when stored events were last labelled anew with them."""
    row = connection.execute(select(rule_sets.c.first_used_us, rule_sets.c.replayed_us).where(rule_sets.c.version == version)).first()
    return None if row is None else (row[0], row[1])


def _conditions(wanted: AnswerFilter) -> list[ColumnElement[bool]]:
    span = received(events, source=wanted.source, from_us=wanted.from_us, to_us=wanted.to_us)
    return [events.c.kind.in_(wanted.kinds), *span]


def _answer_to_somebody(row: Row[Any]) -> StoredAnswer:
    return _answer(tuple(row[: len(_COLUMNS)]), recipient=row.address)


def _answer(row: bulk.Row, *, recipient: str | None = None) -> StoredAnswer:
    found = dict(zip(_COLUMNS, row, strict=True))
    event = Event(
        kind=EventKind(found["kind"]),
        esp=found["esp"],
        recipient=recipient,
        reported_type=ReportedType(found["reported_type"]) if found["reported_type"] else None,
        smtp_code=found["smtp_code"],
        enhanced_status_code=found["enhanced_status_code"],
        smtp_stage=SmtpStage(found["smtp_stage"]) if found["smtp_stage"] else None,
        diagnostic=found["diagnostic"],
        remote_host=found["remote_host"],
        esp_class=found["esp_class"],
        esp_subclass=found["esp_subclass"],
    )
    values = {name: found[name] for name in _LABEL_COLUMNS} | {"counts_as_hard": bool(found["counts_as_hard"])}
    return StoredAnswer(
        id=found["id"],
        key=bytes(found["event_key"]),
        received_us=found["received_us"],
        occurred_us=found["occurred_us"],
        source_id=found["source_id"],
        recipient_id=found["recipient_id"],
        domain=found["domain"],
        is_attempt=found["cell"] != Cell.NOT_COUNTED,
        event=event,
        values=LabelValues(**values),
    )
