"""Which tables are there, and which question does each answer?

Base tables are private: dashboards read the `v_…` views. `events` and `deliveries` are partitioned by month of receipt on
PostgreSQL (`partitions.py`, docs/adr/0009). Moments are whole microseconds since 1970 UTC (`…_us`), hours are
counted from 1970 UTC, and keys of roll-ups that are absent are '' and not null, so that the same statements run on SQLite
and PostgreSQL and sums need no special case.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite numbers rows only in a column whose type is exactly INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")
ONLY = "only"  # in `info`: the one database that has this table, index or key

sources = Table(
    "sources",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("esp", String(40), nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("first_seen_us", BigInteger, nullable=False),
    sqlite_autoincrement=True,
    comment="Configured endpoints, and sources named by imported history.",
)

source_lag = Table(
    "source_lag",
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("log_lag_seconds", Float, nullable=False, comment="p95 of (received - occurred) of delivered events, ln seconds"),
    Column("delivered_count", BigInteger, nullable=False, comment="delivered events ever seen: none means no denominator"),
    Column("hard_count", BigInteger, nullable=False, comment="reported hard bounces ever seen"),
    Column("last_received_us", BigInteger, nullable=False),
    Column("last_occurred_us", BigInteger, nullable=False),
    comment="How late a source's webhooks come, and whether it tells of delivered mail at all.",
)

source_hourly = Table(
    "source_hourly",
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("hour", Integer, primary_key=True, autoincrement=False, comment="UTC hour of receipt"),
    Column("outcome", String(60), primary_key=True),
    Column("count", BigInteger, nullable=False),
    comment="What became of everything received: nothing disappears without being counted here.",
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    # No foreign key on PostgreSQL: each row would lock its source's, which all workers write at once; sources are never deleted.
    Column("source_id", Integer, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("state", String(20), nullable=False, comment="processed, quarantined, not_authentic or erased"),
    Column("event_count", Integer, nullable=False),
    Column("duplicate_count", Integer, nullable=False),
    Column("problem_count", Integer, nullable=False),
    Column("error", Text, comment="why (part of) it could not be read"),
    Column("content_type", String(200), nullable=False),
    Column("headers", Text, nullable=False, comment="JSON object, without credentials"),
    Column("query", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="zstd"),
    comment="The raw archive: every accepted webhook POST.",
)
ForeignKeyConstraint([deliveries.c.source_id], [sources.c.id], info={ONLY: "sqlite"}).ddl_if(dialect="sqlite")
Index("ix_deliveries_received", deliveries.c.received_us)  # the deliveries list of the API, newest first
UNPROCESSED = deliveries.c.state != literal_column("'processed'")  # the few that are looked for by their state: ?state=quarantined
Index("ix_deliveries_state", deliveries.c.state, deliveries.c.received_us, sqlite_where=UNPROCESSED, postgresql_where=UNPROCESSED)

recipients = Table(
    "recipients",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("address", String(320), nullable=False, unique=True),
    Column("domain", String(255), nullable=False),
    Column("last_delivered_us", BigInteger, nullable=False, comment="0 = never"),
    Column("last_hard_us", BigInteger, nullable=False, comment="0 = never"),
    Column("last_engaged_us", BigInteger, nullable=False, comment="last open or click by man or machine, 0 = never"),
    Column("hard_count", Integer, nullable=False, comment="fresh and repeat hard bounces"),
    Column("newest_us", BigInteger, nullable=False, comment="newest attempt folded so far"),
    Column("newest_rank", SmallInteger, nullable=False, comment="its kind's rank, to break ties"),
    Column("newest_key", LargeBinary(16), nullable=False, comment="its event key, to break ties"),
    sqlite_autoincrement=True,
    comment="What is known of each address, as a fold over its events that is equal for any order of arrival.",
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("event_key", LargeBinary(16), nullable=False),
    Column("delivery_id", String(32), nullable=False),
    Column("source_id", Integer, nullable=False),
    Column("recipient_id", BigInteger),
    Column("domain", String(255), nullable=False, comment="recipient domain, '' where there is no recipient"),
    Column("kind", String(20), nullable=False),
    Column("occurred_us", BigInteger, nullable=False, comment="event time; receipt for events from the future"),
    Column("reported_us", BigInteger, comment="the ESP's own time where it could not be believed"),
    Column("received_us", BigInteger, nullable=False),
    Column("cell", SmallInteger, nullable=False, comment="how it is counted: service.alerting.counting.Cell"),
    Column("esp", String(40), nullable=False),
    Column("phase", String(10), nullable=False),
    Column("reported_type", String(20)),
    Column("counts_as_hard", Boolean, nullable=False),
    Column("label", String(30)),
    Column("label_group", String(20)),
    Column("persistence", String(12)),
    Column("doubt", String(10)),
    Column("rule", String(100)),
    Column("vendor", String(60)),
    Column("evidence", Text),
    Column("gateway", String(60), nullable=False, comment="security gateway named by host or reply, '' = none known"),
    Column("smtp_code", SmallInteger),
    Column("enhanced_status_code", String(12)),
    Column("smtp_stage", String(10)),
    Column("diagnostic", Text),
    Column("message_id", String(998)),
    Column("esp_event_id", String(255)),
    Column("esp_event_type", String(100)),
    Column("esp_class", String(255)),
    Column("esp_subclass", String(255)),
    Column("remote_host", String(255)),
    Column("remote_ip", String(45)),
    Column("sending_ip", String(45)),
    Column("campaign", String(255)),
    Column("suppressed_by_esp", Boolean),
    Column("extra", Text, comment="JSON: tags, metadata, subject"),
    sqlite_autoincrement=True,
    comment="One row for one thing that happened to one mail for one recipient.",
)


def event_text_limits() -> dict[str, int]:
    """Lengths of the text columns that hold what an ESP wrote, by name: PostgreSQL refuses a longer text, SQLite does not."""
    own = ("message_id", "esp", "esp_event_id", "esp_event_type", "esp_class", "esp_subclass")
    places = ("remote_host", "remote_ip", "sending_ip", "campaign", "enhanced_status_code")
    return {name: length for name in own + places if isinstance(length := getattr(events.c[name].type, "length", None), int)}


# Twice is once. PostgreSQL keeps keys in a table of their own instead: an index that is unique cannot span partitions.
Index("uq_events_event_key", events.c.event_key, unique=True, info={ONLY: "sqlite"}).ddl_if(dialect="sqlite")
Index("ix_events_recipient", events.c.recipient_id, events.c.occurred_us)  # re-fold of one recipient
Index("ix_events_domain", events.c.domain, events.c.occurred_us)  # evidence of an alert; events of one domain
Index("ix_events_received", events.c.received_us)  # backtest, and the events list of the API

domain_hourly = Table(
    "domain_hourly",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False, comment="UTC hour of the event"),
    Column("source_id", Integer, primary_key=True, autoincrement=False),
    Column("sending_ip", String(45), primary_key=True),
    Column("campaign", String(255), primary_key=True),
    Column("warm_n", Integer, nullable=False, comment="attempts to people delivered to in the last 60 days"),
    Column("warm_k", Integer, nullable=False, comment="fresh reported hard bounces among them"),
    Column("cold_n", Integer, nullable=False, comment="attempts to everybody else"),
    Column("cold_k", Integer, nullable=False),
    Column("repeat_k", Integer, nullable=False, comment="hard bounces of people already counted as bounced"),
    Column("soft_k", Integer, nullable=False, comment="final refusals that are not reported hard; part of n"),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    comment="Attempts and hard bounces by recipient domain and UTC hour of the event.",
)
Index("ix_domain_hourly_hour", domain_hourly.c.hour)  # active domain-hours a day; retention
# And ix_domain_hourly_hour_at, made by migration 0004 over the hour as v_domain_hourly gives it: what dashboards ask for.

recipient_domains = Table(
    "recipient_domains",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("domain_class", String(20), nullable=False),
    Column("gateway", String(60), nullable=False, comment="security gateway seen in front of it, '' = none known"),
    Column("newest_hour", Integer, nullable=False, comment="UTC hour of the newest attempt: the windows end there"),
    Column("last_hard_us", BigInteger, nullable=False),
    Column("delivered_since_hard", Integer, nullable=False, comment="deliveries in a row since the last hard bounce"),
    Column("last_attempt_us", BigInteger, nullable=False),
    comment="What is known of each recipient domain: class, gateway, and whether it takes mail again.",
)

due_checks = Table(
    "due_checks",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("widest_us", BigInteger, nullable=False, comment="longest hold asked for so far"),
    Column("due_us", BigInteger, nullable=False),
    comment="Domains that had a hard bounce and wait for their denominator.",
)
Index("ix_due_checks_due", due_checks.c.due_us)  # what is due now

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("dedupe_key", String(300), nullable=False, comment="domain:<domain>"),
    Column("domain", String(255), nullable=False),
    Column("domain_class", String(20), nullable=False),
    Column("gateway", String(60)),
    Column("state", String(10), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("cause", String(30)),
    Column("window_hours", SmallInteger, nullable=False),
    Column("window_end_hour", Integer, nullable=False),
    Column("rate_known", Boolean, nullable=False, comment="false: the source tells of no delivered mail"),
    Column("warm_n", Integer, nullable=False),
    Column("warm_k", Integer, nullable=False),
    Column("cold_n", Integer, nullable=False),
    Column("cold_k", Integer, nullable=False),
    Column("believed_hard", Integer),
    Column("ln_e", Float, nullable=False),
    Column("ln_e_min", Float, nullable=False),
    Column("expected", Float, nullable=False, comment="hard bounces the class table expects"),
    Column("shrunk_rate", Float, nullable=False),
    Column("threshold", Float, nullable=False, comment="tau"),
    Column("first_event_us", BigInteger, nullable=False),
    Column("last_event_us", BigInteger, nullable=False),
    Column("hold_us", BigInteger, nullable=False, comment="wait for the denominator that was used"),
    Column("opened_us", BigInteger, nullable=False),
    Column("last_true_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("close_reason", String(20), comment="recovered or expired"),
    Column("reopen_count", Integer, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("updated_seq", BigInteger, nullable=False, comment="grows with every change: what updated_since pages by"),
    Column("sample_event_ids", Text, nullable=False, comment="JSON list, at most 20"),
    comment="One row for one spike at one recipient domain.",
)
Index(
    "uq_alerts_firing",
    alerts.c.dedupe_key,
    unique=True,
    sqlite_where=alerts.c.state == "firing",
    postgresql_where=alerts.c.state == "firing",
)  # one open alert per key
Index("ix_alerts_domain", alerts.c.domain, alerts.c.opened_us)  # alerts of one domain; re-open
Index("ix_alerts_updated", alerts.c.updated_seq)  # updated_since

alert_transitions = Table(
    "alert_transitions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("alert_id", String(32), ForeignKey("alerts.id"), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(20), nullable=False, comment="opened, reopened, recovered or expired"),
    Column("severity", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reported_hard", Integer, nullable=False),
    Column("ln_e", Float, nullable=False),
    sqlite_autoincrement=True,
    comment="Every change of an alert's state, kept for ever.",
)
Index("ix_alert_transitions_alert", alert_transitions.c.alert_id, alert_transitions.c.id)  # history of one alert

one_time_proofs = Table(
    "one_time_proofs",
    metadata,
    Column("token_digest", LargeBinary(16), primary_key=True),
    Column("subject_digest", LargeBinary(16), nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    comment="Signed tokens that vouch for one event each; with another event they are forged.",
)
Index("ix_one_time_proofs_seen", one_time_proofs.c.seen_us)  # forgetting those that the door refuses by age

leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(100), nullable=False),
    Column("until_us", BigInteger, nullable=False),
    comment="Which process does a thing that exactly one may do.",
)
