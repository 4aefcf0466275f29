"""Which tables keep what has to outlive an event's row? The rest of the tables, and what holds for all of them, is in `tables.py`."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from service.store.tables import ONLY, metadata

event_keys = Table(
    "event_keys",
    metadata,
    Column("event_key", LargeBinary(16), primary_key=True),
    Column("received_us", BigInteger, nullable=False, comment="of the event: the key goes when its month goes"),
    info={ONLY: "postgresql"},
    comment="Twice is once, over all partitions of the events.",
)
# Finding keys whose month is gone: the rows lie in the order of receipt, so that a hundredth of an index does.
Index("ix_event_keys_received", event_keys.c.received_us, postgresql_using="brin", info={ONLY: "postgresql"}).ddl_if(dialect="postgresql")

recipient_bases = Table(
    "recipient_bases",
    metadata,
    Column("recipient_id", BigInteger, primary_key=True, autoincrement=False),
    Column("delivered_us", BigInteger, nullable=False, comment="newest delivery among the events that are gone, 0 = none"),
    Column("hard_us", BigInteger, nullable=False, comment="newest hard bounce among them, 0 = none"),
    comment="What a fold of a recipient starts from once retention has dropped events: without it, people would look new.",
)
