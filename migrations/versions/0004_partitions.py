"""Events and raw deliveries in a partition for each month of receipt (PostgreSQL), and what people were before the events kept.

What is there already is not copied: the old table becomes the partition of everything before the next month. Only a primary key
is built and the event keys are copied, during which workers wait; webhooks are accepted all the while.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_IS_LATE = "SELECT clock_timestamp() > now() + current_setting('lock_timeout')::interval"  # now() is when the transaction began
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEXES = {
    "events": {
        "ix_events_domain": "domain, occurred_us",
        "ix_events_received": "received_us",
        "ix_events_recipient": "recipient_id, occurred_us",
    },
    "deliveries": {"ix_deliveries_received": "received_us", "ix_deliveries_state": "state, received_us"},
}
_COMMENTS = {
    "events": "One row for one thing that happened to one mail for one recipient.",
    "deliveries": "The raw archive: every accepted webhook POST.",
}
_STATES = "processed, quarantined, not_authentic or erased"
_OLD_STATES = "processed, quarantined or not_authentic"
# A worker of the release before writes no keys. It writes into the old table until its month is over: there they are added for it.
_KEEP_KEY = """
CREATE FUNCTION hopp_keep_event_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_keys (event_key, received_us) VALUES (NEW.event_key, NEW.received_us) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""
# Rows that change again and again: room on the page for the next version, and a vacuum that does not wait for a fifth of the table.
_HOT = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_analyze_scale_factor = 0.05"
_LARGE_HOT = "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"
_STORAGE = {
    **dict.fromkeys(("due_checks", "leases", "recipient_domains", "reply_hourly", "source_health", "source_hourly", "source_lag"), _HOT),
    **dict.fromkeys(("domain_hourly", "recipients"), _LARGE_HOT),
}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def upgrade() -> None:
    op.create_table(
        "recipient_bases",
        sa.Column("recipient_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delivered_us", sa.BigInteger(), nullable=False, comment="newest delivery among the events that are gone, 0 = none"),
        sa.Column("hard_us", sa.BigInteger(), nullable=False, comment="newest hard bounce among them, 0 = none"),
        sa.PrimaryKeyConstraint("recipient_id", name=op.f("pk_recipient_bases")),
        comment="What a fold of a recipient starts from once retention has dropped events: without it, people would look new.",
    )
    if _is_postgresql():
        _take_tables()
    op.execute(f"CREATE INDEX ix_domain_hourly_hour_at ON domain_hourly ({_hour_at()})")
    if not _is_postgresql():
        return
    month = _first_month()
    _create_keys()
    for table in _INDEXES:
        _partition(table, month)
    op.execute(f"COMMENT ON COLUMN deliveries.state IS '{_STATES}'")
    for name, parameters in _STORAGE.items():
        op.execute(f"ALTER TABLE {name} SET ({parameters})")


def _hour_at() -> str:
    """The hour as v_domain_hourly gives it: only so does a dashboard's condition on it find its rows."""
    return "to_timestamp(hour * 3600.0)" if _is_postgresql() else "strftime('%Y-%m-%dT%H:%M:%SZ', hour * 3600, 'unixepoch')"


def _take_tables() -> None:
    """Take all that workers write before anything is changed: no event may come whose key is not copied.

    Each batch of a worker begins with `sources`, so that once it is ours no batch is under way. Readers take tables in any order;
    for them nothing is waited for while a lock is held, or each could wait for the other.
    """
    bind = op.get_bind()
    while True:
        attempt = bind.begin_nested()
        bind.execute(sa.text("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE"))
        try:
            bind.execute(sa.text("LOCK TABLE deliveries, events IN ACCESS EXCLUSIVE MODE NOWAIT"))
        except OperationalError:
            attempt.rollback()
            if bind.execute(sa.text(_IS_LATE)).scalar_one():
                raise
            bind.execute(sa.text("SELECT pg_sleep(0.1)"))
            continue
        attempt.commit()
        return


def _create_keys() -> None:
    op.create_table(
        "event_keys",
        sa.Column("event_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False, comment="of the event: the key goes when its month goes"),
        comment="Twice is once, over all partitions of the events.",
    )
    op.execute("INSERT INTO event_keys (event_key, received_us) SELECT event_key, received_us FROM events")
    op.create_primary_key("pk_event_keys", "event_keys", ["event_key"])
    op.create_index("ix_event_keys_received", "event_keys", ["received_us"], postgresql_using="brin")
    op.execute(_KEEP_KEY)


def _first_month() -> datetime:
    """The start of the month after everything that is there: no row of now has to move."""
    newest = "SELECT greatest(floor(extract(epoch FROM now()))::bigint, max(received_us) / 1000000) FROM {}"
    bind = op.get_bind()
    seconds = max(bind.execute(sa.text(newest.format(table))).scalar_one() for table in _INDEXES)
    return _next_month(_EPOCH + timedelta(seconds=int(seconds)))


def _next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _partition(table: str, first: datetime) -> None:
    """The table becomes the partition of everything before `first`, or goes, where nobody has used it yet."""
    before = f"{table}_before_{first:%Y_%m}"
    op.execute(f"ALTER TABLE {table} RENAME TO {before}")
    op.execute(f"ALTER TABLE {before} DROP CONSTRAINT pk_{table}")
    if table == "deliveries":  # each row would lock its source's, which all workers write at once
        op.execute(f"ALTER TABLE {before} DROP CONSTRAINT fk_deliveries_source_id")
    for name in _INDEXES[table]:
        op.execute(f"ALTER INDEX {name} RENAME TO {name}_before")
    like = "INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS"
    op.execute(f"CREATE TABLE {table} (LIKE {before} {like}) PARTITION BY RANGE (received_us)")
    op.execute(f"COMMENT ON TABLE {table} IS '{_COMMENTS[table]}'")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY (id, received_us)")
    for name, columns in _INDEXES[table].items():
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")
    if table == "events":
        op.execute("ALTER SEQUENCE events_id_seq OWNED BY events.id")
    if not op.get_bind().execute(sa.text("SELECT EXISTS (SELECT FROM sources)")).scalar_one():
        op.execute(f"DROP TABLE {before}")
        return
    op.execute(f"ALTER TABLE {before} ADD CONSTRAINT pk_{before} PRIMARY KEY (id, received_us)")
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({_us(first)})")
    if table == "events":
        op.execute(f"CREATE TRIGGER keep_event_key AFTER INSERT ON {before} FOR EACH ROW EXECUTE FUNCTION hopp_keep_event_key()")


def downgrade() -> None:
    if _is_postgresql():
        _take_tables()
    op.execute("DROP INDEX ix_domain_hourly_hour_at")
    op.drop_table("recipient_bases")
    if not _is_postgresql():
        return
    for name, parameters in _STORAGE.items():
        names = ", ".join(part.split(" = ")[0] for part in parameters.split(", "))
        op.execute(f"ALTER TABLE {name} RESET ({names})")
    for table in _INDEXES:
        _join(table)
    op.execute("CREATE UNIQUE INDEX uq_events_event_key ON events (event_key)")
    op.create_foreign_key("fk_deliveries_source_id", "deliveries", "sources", ["source_id"], ["id"])
    op.execute(f"COMMENT ON COLUMN deliveries.state IS '{_OLD_STATES}'")
    op.drop_table("event_keys")
    op.execute("DROP FUNCTION hopp_keep_event_key()")


def _join(table: str) -> None:
    """All partitions in one table again: here the rows are copied."""
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_parts")
    op.execute(f"ALTER TABLE {table}_parts DROP CONSTRAINT pk_{table}")
    for name in _INDEXES[table]:
        op.execute(f"DROP INDEX {name}")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_parts INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS)")
    op.execute(f"COMMENT ON TABLE {table} IS '{_COMMENTS[table]}'")
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_parts")  # noqa: S608 - our own names
    if table == "events":
        op.execute("ALTER SEQUENCE events_id_seq OWNED BY events.id")
    op.execute(f"DROP TABLE {table}_parts CASCADE")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY (id)")
    for name, columns in _INDEXES[table].items():
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")
