"""Which tables say how the sources are doing? The rest of the tables, and what holds for all of them, is in `tables.py`."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from service.store.tables import RowId, metadata

source_health = Table(
    "source_health",
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("state", String(12), nullable=False, comment="regular, learning, irregular, silent or refused"),
    Column("last_hour", Integer, comment="UTC hour of the last accepted post"),
    Column("missed_hours", Float, nullable=False, comment="hours with expected posts since then"),
    Column("allowed_hours", Float, comment="so many are silence; null while no rhythm is known"),
    Column("accepted", Integer, nullable=False, comment="posts in the last 24 hours"),
    Column("refused", Integer, nullable=False, comment="posts in the last 24 hours that did not prove where they come from"),
    Column("judged_us", BigInteger, nullable=False),
    comment="How each source that is watched was doing when it was last looked at; test sources are not.",
)

source_alerts = Table(
    "source_alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source_id", Integer, ForeignKey("sources.id"), nullable=False),
    Column("trouble", String(20), nullable=False, comment="source_silent or source_refused"),
    Column("state", String(10), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("last_hour", Integer, comment="UTC hour of the last accepted post"),
    Column("missed_hours", Float, nullable=False),
    Column("allowed_hours", Float),
    Column("accepted", Integer, nullable=False, comment="posts in 24 hours"),
    Column("refused", Integer, nullable=False, comment="posts in 24 hours"),
    Column("opened_us", BigInteger, nullable=False),
    Column("last_true_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("close_reason", String(20), comment="recovered, expired or unwatched"),
    Column("reopen_count", Integer, nullable=False),
    comment="One row for one trouble of one source.",
)
Index(
    "uq_source_alerts_firing",
    source_alerts.c.source_id,
    source_alerts.c.trouble,
    unique=True,
    sqlite_where=source_alerts.c.state == "firing",
    postgresql_where=source_alerts.c.state == "firing",
)  # one open alert per source and trouble
Index("ix_source_alerts_source", source_alerts.c.source_id, source_alerts.c.opened_us)  # newest alert of a source; its history

source_alert_transitions = Table(
    "source_alert_transitions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("alert_id", String(32), ForeignKey("source_alerts.id"), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(20), nullable=False, comment="opened, reopened, recovered, expired or unwatched"),
    Column("severity", String(10), nullable=False),
    sqlite_autoincrement=True,
    comment="Every change of a source alert's state, kept for ever.",
)
Index(
    "ix_source_alert_transitions_alert", source_alert_transitions.c.alert_id, source_alert_transitions.c.id
)  # history of one source alert
