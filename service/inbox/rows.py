"""How does a delivery stand in a table of the inbox?"""

from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

from service.model.events import Delivery
from service.model.moments import from_us, to_us
from service.store.packing import pack, unpack

Row = tuple[Any, ...]
metadata = MetaData()
inbox = Table(
    "inbox",
    metadata,
    # AUTOINCREMENT: a number is never given out twice, though the table is emptied all the time.
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False),
    Column("source", String(100), nullable=False),
    Column("esp", String(40), nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("headers", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("is_packed", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
    # It is emptied all the time: what counts is how much was removed, not which part of what is there (docs/database.md).
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "5000"},
)
COLUMNS = tuple(column.name for column in inbox.columns if column.name != "seq")
# A single event of most ESPs is smaller, and packing it would cost more than the few bytes that wait for less than a second.
# PostgreSQL would itself pack a row of more than 2,000 bytes, more slowly.
_PACK_FROM_BYTES = 1_500


def row_of(delivery: Delivery) -> Row:
    """The values of COLUMNS."""
    is_packed = len(delivery.body) >= _PACK_FROM_BYTES
    return (
        delivery.id,
        delivery.source,
        delivery.esp,
        to_us(delivery.received_at),
        delivery.content_type,
        orjson.dumps(dict(delivery.headers)).decode(),
        delivery.query,
        int(is_packed),
        pack(delivery.body) if is_packed else delivery.body,
    )


def delivery_of(row: Any, body: bytes) -> Delivery:  # noqa: ANN401 - a row's columns are known to the table only
    """The delivery in a row, whose body may have been read apart."""
    return Delivery(
        id=row.id,
        source=row.source,
        esp=row.esp,
        received_at=from_us(row.received_us),
        content_type=row.content_type,
        headers=orjson.loads(row.headers),
        query=row.query,
        body=unpack(body) if row.is_packed else body,
    )
