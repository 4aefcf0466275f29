"""Which stored answers does no rule know?"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select

from service.model.words import Label
from service.store.database import Database
from service.store.tables import events, recipients, sources

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownReply:
    """A stored answer that is labelled `undetermined`."""

    id: int
    received_us: int
    source: str
    recipient: str | None
    gateway: str
    diagnostic: str
    smtp_code: int | None
    enhanced_status_code: str | None


def load_undetermined(database: Database, *, since_us: int = 0, source: str | None = None) -> Iterator[UnknownReply]:
    """Answers that no rule knows, oldest received first; read in parts, so that no transaction is long and no memory full."""
    after = (since_us, 0)
    while True:
        with database.read() as connection:
            found = _part(connection, after, source)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after = (found[-1].received_us, found[-1].id)


def _part(connection: Connection, after: tuple[int, int], source: str | None) -> list[UnknownReply]:
    received_us, event_id = after
    conditions = [
        events.c.label == Label.UNDETERMINED.value,
        events.c.received_us >= received_us,
        or_(events.c.received_us > received_us, and_(events.c.received_us == received_us, events.c.id > event_id)),
    ]
    if source is not None:
        conditions.append(sources.c.name == source)
    statement = (
        select(
            events.c.id,
            events.c.received_us,
            sources.c.name.label("source"),
            recipients.c.address.label("recipient"),
            events.c.gateway,
            func.coalesce(events.c.diagnostic, "").label("diagnostic"),
            events.c.smtp_code,
            events.c.enhanced_status_code,
        )
        .join(sources, sources.c.id == events.c.source_id)
        .outerjoin(recipients, recipients.c.id == events.c.recipient_id)
        .where(*conditions)
        .order_by(events.c.received_us, events.c.id)
        .limit(_AT_ONCE)
    )
    return [UnknownReply(**row._asdict()) for row in connection.execute(statement)]
