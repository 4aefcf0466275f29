"""Where does one person's address stand, and how is it taken out?

Rows that are counted stay, without what tells whose they are: the person becomes a name by chance at the same domain.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from service.model.words import DeliveryState
from service.store.archive import OLDEST_FIRST
from service.store.database import Database
from service.store.packing import pack, unpack
from service.store.reading.paging import read_parts
from service.store.tables import deliveries, events, recipients

_HAS_BODY = deliveries.c.state != DeliveryState.ERASED.value
_AT_ONCE = 200  # bodies are held in memory
_EVENTS_AT_ONCE = 1_000
_TEXTS = ("diagnostic", "evidence", "message_id", "extra", "esp_event_id")

EventTexts = Mapping[str, Any]
Place = tuple[int, str]  # moment of receipt and id of a delivery: in this order they are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A recipient as it is kept."""

    id: int
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedText:
    """All that an archived delivery says."""

    place: Place
    written: tuple[bytes, ...]


def find_person(connection: Connection, address: str) -> Person | None:
    """The recipient with this address."""
    row = connection.execute(select(recipients.c.id, recipients.c.domain).where(recipients.c.address == address)).first()
    return None if row is None else Person(id=row.id, domain=row.domain)


def load_bringing(connection: Connection, person: Person) -> set[Place]:
    """The deliveries that brought this person's events."""
    rows = connection.execute(select(events.c.received_us, events.c.delivery_id).where(events.c.recipient_id == person.id).distinct())
    return {(received_us, delivery_id) for received_us, delivery_id in rows}


def load_texts(database: Database) -> Iterator[tuple[ArchivedText, ...]]:
    """What every archived delivery says, oldest first, some at a time, so that no transaction is long."""
    columns = deliveries.c
    said = select(columns.received_us, columns.id, columns.headers, columns.query, columns.error, columns.body)
    return read_parts(database, said.where(_HAS_BODY), OLDEST_FIRST, _archived_text, at_once=_AT_ONCE)


def _archived_text(row: Any) -> ArchivedText:  # noqa: ANN401 - a row's columns are known to the table only
    body = unpack(row.body)
    return ArchivedText(
        place=(row.received_us, row.id), written=(body, row.headers.encode(), row.query.encode(), (row.error or "").encode())
    )


def count_deliveries(database: Database) -> int:
    """How many archived deliveries have to be read."""
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(deliveries).where(_HAS_BODY)).scalar_one()


def empty_deliveries(connection: Connection, places: Sequence[Place]) -> int:
    """Take out all that these deliveries say; what they counted stays. Returns how many were emptied."""
    values = {"state": DeliveryState.ERASED.value, "body": pack(b""), "headers": "{}", "query": "", "content_type": "", "error": None}
    count = 0
    for received_us, delivery_id in sorted(places):
        chosen = and_(deliveries.c.id == delivery_id, deliveries.c.received_us == received_us, _HAS_BODY)
        count += connection.execute(update(deliveries).where(chosen).values(**values)).rowcount
    return count


def load_event_texts(connection: Connection, address: str, person: Person | None, after_id: int) -> tuple[list[EventTexts], int | None]:
    """Texts of events about this person, or that name the address, by id; some at a time, and after which id more may follow."""
    columns = events.c
    named: list[ColumnElement[bool]] = [func.lower(columns[name]).contains(address, autoescape=True) for name in _TEXTS]
    if person is not None:
        named.append(columns.recipient_id == person.id)
    statement = (
        select(columns.id, columns.received_us, columns.recipient_id, *(columns[name] for name in _TEXTS))
        .where(columns.id > after_id, or_(*named))
        .order_by(columns.id)
        .limit(_EVENTS_AT_ONCE)
    )
    found: list[EventTexts] = [dict(row) for row in connection.execute(statement).mappings()]
    return found, found[-1]["id"] if len(found) == _EVENTS_AT_ONCE else None


def save_event_texts(connection: Connection, row: EventTexts, clean: Callable[[str | None], str | None], salt: bytes) -> None:
    """Write an event's texts without the address. Its message id becomes another one: which mails are the same still counts."""
    values = {name: clean(row[name]) for name in ("diagnostic", "evidence")} | {"extra": None, "esp_event_id": None}
    values["message_id"] = _renamed(row["message_id"], salt)
    chosen = and_(events.c.id == row["id"], events.c.received_us == row["received_us"])
    connection.execute(update(events).where(chosen).values(**values))


def _renamed(message_id: str | None, salt: bytes) -> str | None:
    return None if message_id is None else f"erased-{blake2b(message_id.encode(), key=salt, digest_size=16).hexdigest()}"


def rename_person(connection: Connection, person: Person) -> None:
    """The person becomes a name by chance, which nobody can lead back."""
    name = f"erased-{secrets.token_hex(10)}@{person.domain}"
    connection.execute(update(recipients).where(recipients.c.id == person.id).values(address=name))


def overwrite_freed(connection: Connection) -> None:
    """SQLite leaves what was written over in its file unless told otherwise; PostgreSQL's vacuum takes it."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))


def shorten_log(database: Database) -> None:
    """SQLite's log holds pages as they were before."""
    if database.is_sqlite:
        with database.read() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
