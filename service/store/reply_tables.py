"""Which tables say how well answers are understood, and by which rules? What holds for all tables is in `tables.py`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from service.store.tables import metadata

reply_hourly = Table(
    "reply_hourly",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False, comment="UTC hour of receipt"),
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("gateway", String(60), primary_key=True, comment="as in events"),
    Column("answered", BigInteger, nullable=False, comment="events with a label"),
    Column("undetermined", BigInteger, nullable=False, comment="of those, labelled undetermined"),
    comment="How many answers came, and how many no rule knows: an exact count of the events.",
)

rule_sets = Table(
    "rule_sets",
    metadata,
    Column("version", String(12), primary_key=True),
    Column("first_used_us", BigInteger, nullable=False, comment="first start of a worker, or replay, with it"),
    Column("replayed_us", BigInteger, comment="when all stored events were last labelled anew with it"),
    comment="Which versions of the classifier's rules were in use since when.",
)
