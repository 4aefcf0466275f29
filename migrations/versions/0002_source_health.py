"""How the sources are doing, and the alerts about them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The text of the view is frozen here: a changed view gets a new version beside the old one, in a migration of its own.
_V_SOURCE_HEALTH = """
CREATE VIEW v_source_health AS
SELECT
    s.name AS source,
    s.esp AS esp,
    CASE WHEN s.is_test THEN 1 ELSE 0 END AS is_test,
    coalesce(h.state, 'unwatched') AS state,
    {judged_us} AS judged_at,
    {last_received_us} AS last_received_at,
    {last_hour} AS last_post_at,
    h.missed_hours AS missed_hours,
    h.allowed_hours AS allowed_hours,
    coalesce(h.accepted, 0) AS accepted_24h,
    coalesce(h.refused, 0) AS refused_24h,
    {silent_us} AS silent_since,
    {refused_us} AS refused_since
FROM sources s
LEFT JOIN source_health h ON h.source_id = s.id
LEFT JOIN source_lag l ON l.source_id = s.id
LEFT JOIN source_alerts q ON q.source_id = s.id AND q.trouble = 'source_silent' AND q.state = 'firing'
LEFT JOIN source_alerts r ON r.source_id = s.id AND r.trouble = 'source_refused' AND r.state = 'firing'
"""
_COLUMNS = {
    "source": "name of the configured endpoint",
    "esp": "its ESP",
    "is_test": "1 for a test source, which is never watched, else 0",
    "state": "regular, learning, irregular, silent, refused, or unwatched",
    "judged_at": "when it was last looked at; null for a source that is not watched",
    "last_received_at": "when its last event was received",
    "last_post_at": "start of the UTC hour of its last accepted post",
    "missed_hours": "hours with posts that were to be expected since then",
    "allowed_hours": "so many missed hours are silence; null while no rhythm is known",
    "accepted_24h": "posts accepted in the last 24 hours",
    "refused_24h": "posts in the last 24 hours that did not prove where they come from",
    "silent_since": "when its source_silent alert opened; null where none is firing",
    "refused_since": "when its source_refused alert opened; null where none is firing",
}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _moment(us: str) -> str:
    if _is_postgresql():
        return f"to_timestamp({us} / 1000000.0)"
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {us} / 1000000, 'unixepoch')"


def _hour(hour: str) -> str:
    if _is_postgresql():
        return f"to_timestamp({hour} * 3600.0)"
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {hour} * 3600, 'unixepoch')"


def _create_view() -> None:
    op.execute(
        _V_SOURCE_HEALTH.format(
            judged_us=_moment("h.judged_us"),
            last_received_us=_moment("l.last_received_us"),
            last_hour=_hour("h.last_hour"),
            silent_us=_moment("q.opened_us"),
            refused_us=_moment("r.opened_us"),
        )
    )
    if _is_postgresql():
        for column, meaning in _COLUMNS.items():
            op.execute(f"COMMENT ON COLUMN v_source_health.{column} IS '{meaning}'")


def upgrade() -> None:
    op.create_table(
        "source_health",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False, comment="regular, learning, irregular, silent or refused"),
        sa.Column("last_hour", sa.Integer(), nullable=True, comment="UTC hour of the last accepted post"),
        sa.Column("missed_hours", sa.Float(), nullable=False, comment="hours with expected posts since then"),
        sa.Column("allowed_hours", sa.Float(), nullable=True, comment="so many are silence; null while no rhythm is known"),
        sa.Column("accepted", sa.Integer(), nullable=False, comment="posts in the last 24 hours"),
        sa.Column("refused", sa.Integer(), nullable=False, comment="posts in the last 24 hours that did not prove where they come from"),
        sa.Column("judged_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_health_source_id")),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_health")),
        comment="How each source that is watched was doing when it was last looked at; test sources are not.",
    )
    op.create_table(
        "source_alerts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=20), nullable=False, comment="source_silent or source_refused"),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("last_hour", sa.Integer(), nullable=True, comment="UTC hour of the last accepted post"),
        sa.Column("missed_hours", sa.Float(), nullable=False),
        sa.Column("allowed_hours", sa.Float(), nullable=True),
        sa.Column("accepted", sa.Integer(), nullable=False, comment="posts in 24 hours"),
        sa.Column("refused", sa.Integer(), nullable=False, comment="posts in 24 hours"),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("last_true_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", sa.String(length=20), nullable=True, comment="recovered, expired or unwatched"),
        sa.Column("reopen_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_alerts_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_alerts")),
        comment="One row for one trouble of one source.",
    )
    op.create_index("ix_source_alerts_source", "source_alerts", ["source_id", "opened_us"], unique=False)
    op.create_index(
        "uq_source_alerts_firing",
        "source_alerts",
        ["source_id", "trouble"],
        unique=True,
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    )
    op.create_table(
        "source_alert_transitions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False, comment="opened, reopened, recovered, expired or unwatched"),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["source_alerts.id"], name=op.f("fk_source_alert_transitions_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_alert_transitions")),
        comment="Every change of a source alert's state, kept for ever.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_source_alert_transitions_alert", "source_alert_transitions", ["alert_id", "id"], unique=False)
    _create_view()


def downgrade() -> None:
    op.execute("DROP VIEW v_source_health")
    op.drop_index("ix_source_alert_transitions_alert", table_name="source_alert_transitions")
    op.drop_table("source_alert_transitions")
    op.drop_index(
        "uq_source_alerts_firing",
        table_name="source_alerts",
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    )
    op.drop_index("ix_source_alerts_source", table_name="source_alerts")
    op.drop_table("source_alerts")
    op.drop_table("source_health")
