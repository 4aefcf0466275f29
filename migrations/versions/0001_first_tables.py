"""The first tables and views: from a raw delivery to an alert."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The text of each view is frozen here: a changed view gets a new version beside the old one, in a migration of its own.
_V_DOMAIN_HOURLY = """
CREATE VIEW v_domain_hourly AS
SELECT
    {hour_at} AS hour,
    h.domain AS domain,
    s.name AS source,
    s.esp AS esp,
    h.sending_ip AS sending_ip,
    h.campaign AS campaign,
    d.domain_class AS domain_class,
    d.gateway AS gateway,
    h.warm_n + h.cold_n AS attempts,
    h.warm_n + h.cold_n - h.warm_k - h.cold_k - h.soft_k AS delivered,
    h.warm_k + h.cold_k AS reported_hard,
    h.soft_k AS soft,
    h.repeat_k AS repeat_hard,
    h.warm_n AS warm_attempts,
    h.warm_k AS warm_hard,
    h.cold_n AS cold_attempts,
    h.cold_k AS cold_hard
FROM domain_hourly h
JOIN sources s ON s.id = h.source_id
JOIN recipient_domains d ON d.domain = h.domain
"""

_V_ALERT = """
CREATE VIEW v_alert AS
SELECT
    a.id AS alert_id,
    a.state AS state,
    a.severity AS severity,
    a.domain AS domain,
    a.domain_class AS domain_class,
    coalesce(a.gateway, '') AS gateway,
    coalesce(a.cause, '') AS cause,
    a.window_hours AS window_hours,
    {window_end} AS window_end,
    a.warm_n + a.cold_n AS attempts,
    a.warm_k + a.cold_k AS reported_hard,
    a.believed_hard AS believed_hard,
    CASE WHEN a.rate_known AND a.warm_n + a.cold_n > 0
        THEN (a.warm_k + a.cold_k) * 1.0 / (a.warm_n + a.cold_n) END AS rate,
    CASE WHEN a.rate_known AND a.warm_n + a.cold_n > 0
        THEN a.expected / (a.warm_n + a.cold_n) END AS baseline,
    CASE WHEN a.rate_known THEN a.threshold END AS threshold,
    {opened_us} AS opened_at,
    {last_true_us} AS last_true_at,
    {closed_us} AS closed_at,
    coalesce(a.close_reason, '') AS close_reason,
    a.reopen_count AS reopen_count,
    {updated_us} AS updated_at
FROM alerts a
"""


def _moment(us: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return f"to_timestamp({us} / 1000000.0)"
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {us} / 1000000, 'unixepoch')"


def _hour(hour: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return f"to_timestamp({hour} * 3600.0)"
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {hour} * 3600, 'unixepoch')"


def _create_views() -> None:
    moments = {name: _moment(f"a.{name}") for name in ("opened_us", "last_true_us", "closed_us", "updated_us")}
    op.execute(_V_DOMAIN_HOURLY.format(hour_at=_hour("h.hour")))
    op.execute(_V_ALERT.format(window_end=_hour("(a.window_end_hour + 1)"), **moments))


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dedupe_key", sa.String(length=300), nullable=False, comment="domain:<domain>"),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("domain_class", sa.String(length=20), nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=30), nullable=True),
        sa.Column("window_hours", sa.SmallInteger(), nullable=False),
        sa.Column("window_end_hour", sa.Integer(), nullable=False),
        sa.Column("rate_known", sa.Boolean(), nullable=False, comment="false: the source tells of no delivered mail"),
        sa.Column("warm_n", sa.Integer(), nullable=False),
        sa.Column("warm_k", sa.Integer(), nullable=False),
        sa.Column("cold_n", sa.Integer(), nullable=False),
        sa.Column("cold_k", sa.Integer(), nullable=False),
        sa.Column("believed_hard", sa.Integer(), nullable=True),
        sa.Column("ln_e", sa.Float(), nullable=False),
        sa.Column("ln_e_min", sa.Float(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False, comment="hard bounces the class table expects"),
        sa.Column("shrunk_rate", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False, comment="tau"),
        sa.Column("first_event_us", sa.BigInteger(), nullable=False),
        sa.Column("last_event_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False, comment="wait for the denominator that was used"),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("last_true_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", sa.String(length=20), nullable=True, comment="recovered or expired"),
        sa.Column("reopen_count", sa.Integer(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False, comment="grows with every change: what updated_since pages by"),
        sa.Column("sample_event_ids", sa.Text(), nullable=False, comment="JSON list, at most 20"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        comment="One row for one spike at one recipient domain.",
    )
    op.create_index("ix_alerts_domain", "alerts", ["domain", "opened_us"], unique=False)
    op.create_index("ix_alerts_updated", "alerts", ["updated_seq"], unique=False)
    op.create_index(
        "uq_alerts_firing",
        "alerts",
        ["dedupe_key"],
        unique=True,
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_api_tokens_name")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_api_tokens_token_sha256")),
        comment="Bearer tokens of the API; only their digests are kept.",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "domain_hourly",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False, comment="UTC hour of the event"),
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sending_ip", sa.String(length=45), nullable=False),
        sa.Column("campaign", sa.String(length=255), nullable=False),
        sa.Column("warm_n", sa.Integer(), nullable=False, comment="attempts to people delivered to in the last 60 days"),
        sa.Column("warm_k", sa.Integer(), nullable=False, comment="fresh reported hard bounces among them"),
        sa.Column("cold_n", sa.Integer(), nullable=False, comment="attempts to everybody else"),
        sa.Column("cold_k", sa.Integer(), nullable=False),
        sa.Column("repeat_k", sa.Integer(), nullable=False, comment="hard bounces of people already counted as bounced"),
        sa.Column("soft_k", sa.Integer(), nullable=False, comment="final refusals that are not reported hard; part of n"),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "hour", "source_id", "sending_ip", "campaign", name=op.f("pk_domain_hourly")),
        comment="Attempts and hard bounces by recipient domain and UTC hour of the event.",
    )
    op.create_index("ix_domain_hourly_hour", "domain_hourly", ["hour"], unique=False)
    op.create_table(
        "due_checks",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("widest_us", sa.BigInteger(), nullable=False, comment="longest hold asked for so far"),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_due_checks")),
        comment="Domains that had a hard bounce and wait for their denominator.",
    )
    op.create_index("ix_due_checks_due", "due_checks", ["due_us"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("delivery_id", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("recipient_id", sa.BigInteger(), nullable=True),
        sa.Column("domain", sa.String(length=255), nullable=False, comment="recipient domain, '' where there is no recipient"),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("occurred_us", sa.BigInteger(), nullable=False, comment="event time; receipt for events from the future"),
        sa.Column("reported_us", sa.BigInteger(), nullable=True, comment="the ESP's own time where it could not be believed"),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("cell", sa.SmallInteger(), nullable=False, comment="how it is counted: service.alerting.counting.Cell"),
        sa.Column("esp", sa.String(length=40), nullable=False),
        sa.Column("phase", sa.String(length=10), nullable=False),
        sa.Column("reported_type", sa.String(length=20), nullable=True),
        sa.Column("counts_as_hard", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=30), nullable=True),
        sa.Column("label_group", sa.String(length=20), nullable=True),
        sa.Column("persistence", sa.String(length=12), nullable=True),
        sa.Column("doubt", sa.String(length=10), nullable=True),
        sa.Column("rule", sa.String(length=100), nullable=True),
        sa.Column("vendor", sa.String(length=60), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("gateway", sa.String(length=60), nullable=False, comment="security gateway named by host or reply, '' = none known"),
        sa.Column("smtp_code", sa.SmallInteger(), nullable=True),
        sa.Column("enhanced_status_code", sa.String(length=12), nullable=True),
        sa.Column("smtp_stage", sa.String(length=10), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=998), nullable=True),
        sa.Column("esp_event_id", sa.String(length=255), nullable=True),
        sa.Column("esp_event_type", sa.String(length=100), nullable=True),
        sa.Column("esp_class", sa.String(length=255), nullable=True),
        sa.Column("esp_subclass", sa.String(length=255), nullable=True),
        sa.Column("remote_host", sa.String(length=255), nullable=True),
        sa.Column("remote_ip", sa.String(length=45), nullable=True),
        sa.Column("sending_ip", sa.String(length=45), nullable=True),
        sa.Column("campaign", sa.String(length=255), nullable=True),
        sa.Column("suppressed_by_esp", sa.Boolean(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True, comment="JSON: tags, metadata, subject"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        comment="One row for one thing that happened to one mail for one recipient.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_domain", "events", ["domain", "occurred_us"], unique=False)
    op.create_index("ix_events_received", "events", ["received_us"], unique=False)
    op.create_index("ix_events_recipient", "events", ["recipient_id", "occurred_us"], unique=False)
    op.create_index("uq_events_event_key", "events", ["event_key"], unique=True)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        comment="Which process does a thing that exactly one may do.",
    )
    op.create_table(
        "one_time_proofs",
        sa.Column("token_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subject_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_one_time_proofs")),
        comment="Signed tokens that vouch for one event each; with another event they are forged.",
    )
    op.create_index("ix_one_time_proofs_seen", "one_time_proofs", ["seen_us"], unique=False)
    op.create_table(
        "recipient_domains",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("domain_class", sa.String(length=20), nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False, comment="security gateway seen in front of it, '' = none known"),
        sa.Column("newest_hour", sa.Integer(), nullable=False, comment="UTC hour of the newest attempt: the windows end there"),
        sa.Column("last_hard_us", sa.BigInteger(), nullable=False),
        sa.Column("delivered_since_hard", sa.Integer(), nullable=False, comment="deliveries in a row since the last hard bounce"),
        sa.Column("last_attempt_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_recipient_domains")),
        comment="What is known of each recipient domain: class, gateway, and whether it takes mail again.",
    )
    op.create_table(
        "recipients",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("last_delivered_us", sa.BigInteger(), nullable=False, comment="0 = never"),
        sa.Column("last_hard_us", sa.BigInteger(), nullable=False, comment="0 = never"),
        sa.Column("last_engaged_us", sa.BigInteger(), nullable=False, comment="last open or click by man or machine, 0 = never"),
        sa.Column("hard_count", sa.Integer(), nullable=False, comment="fresh and repeat hard bounces"),
        sa.Column("newest_us", sa.BigInteger(), nullable=False, comment="newest attempt folded so far"),
        sa.Column("newest_rank", sa.SmallInteger(), nullable=False, comment="its kind's rank, to break ties"),
        sa.Column("newest_key", sa.LargeBinary(length=16), nullable=False, comment="its event key, to break ties"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipients")),
        sa.UniqueConstraint("address", name=op.f("uq_recipients_address")),
        comment="What is known of each address, as a fold over its events that is equal for any order of arrival.",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("esp", sa.String(length=40), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("first_seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_sources_name")),
        comment="Configured endpoints, and sources named by imported history.",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert_transitions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False, comment="opened, reopened, recovered or expired"),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reported_hard", sa.Integer(), nullable=False),
        sa.Column("ln_e", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_alert_transitions_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_transitions")),
        comment="Every change of an alert's state, kept for ever.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_transitions_alert", "alert_transitions", ["alert_id", "id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="processed, quarantined or not_authentic"),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("duplicate_count", sa.Integer(), nullable=False),
        sa.Column("problem_count", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True, comment="why (part of) it could not be read"),
        sa.Column("content_type", sa.String(length=200), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False, comment="JSON object, without credentials"),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="zstd"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_deliveries_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        comment="The raw archive: every accepted webhook POST.",
    )
    op.create_index("ix_deliveries_received", "deliveries", ["received_us"], unique=False)
    op.create_index("ix_deliveries_state", "deliveries", ["state", "received_us"], unique=False)
    op.create_table(
        "source_hourly",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False, comment="UTC hour of receipt"),
        sa.Column("outcome", sa.String(length=60), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_hourly_source_id")),
        sa.PrimaryKeyConstraint("source_id", "hour", "outcome", name=op.f("pk_source_hourly")),
        comment="What became of everything received: nothing disappears without being counted here.",
    )
    op.create_table(
        "source_lag",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_lag_seconds", sa.Float(), nullable=False, comment="p95 of (received - occurred) of delivered events, ln seconds"),
        sa.Column("delivered_count", sa.BigInteger(), nullable=False, comment="delivered events ever seen: none means no denominator"),
        sa.Column("hard_count", sa.BigInteger(), nullable=False, comment="reported hard bounces ever seen"),
        sa.Column("last_received_us", sa.BigInteger(), nullable=False),
        sa.Column("last_occurred_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_lag_source_id")),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_lag")),
        comment="How late a source's webhooks come, and whether it tells of delivered mail at all.",
    )
    _create_views()


def downgrade() -> None:
    op.execute("DROP VIEW v_alert")
    op.execute("DROP VIEW v_domain_hourly")
    op.drop_table("source_lag")
    op.drop_table("source_hourly")
    op.drop_index("ix_deliveries_state", table_name="deliveries")
    op.drop_index("ix_deliveries_received", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("ix_alert_transitions_alert", table_name="alert_transitions")
    op.drop_table("alert_transitions")
    op.drop_table("sources")
    op.drop_table("recipients")
    op.drop_table("recipient_domains")
    op.drop_index("ix_one_time_proofs_seen", table_name="one_time_proofs")
    op.drop_table("one_time_proofs")
    op.drop_table("leases")
    op.drop_index("uq_events_event_key", table_name="events")
    op.drop_index("ix_events_recipient", table_name="events")
    op.drop_index("ix_events_received", table_name="events")
    op.drop_index("ix_events_domain", table_name="events")
    op.drop_table("events")
    op.drop_index("ix_due_checks_due", table_name="due_checks")
    op.drop_table("due_checks")
    op.drop_index("ix_domain_hourly_hour", table_name="domain_hourly")
    op.drop_table("domain_hourly")
    op.drop_table("api_tokens")
    op.drop_index(
        "uq_alerts_firing", table_name="alerts", sqlite_where=sa.text("state = 'firing'"), postgresql_where=sa.text("state = 'firing'")
    )
    op.drop_index("ix_alerts_updated", table_name="alerts")
    op.drop_index("ix_alerts_domain", table_name="alerts")
    op.drop_table("alerts")
