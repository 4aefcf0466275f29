"""How many answers no rule knows, and which rules were in use since when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# One scan of the events, so that the counts are exact from the start; later each batch adds its own.
_COUNT = """
INSERT INTO reply_hourly (hour, source_id, gateway, answered, undetermined)
SELECT received_us / 3600000000, source_id, gateway, count(*), sum(CASE WHEN label = 'undetermined' THEN 1 ELSE 0 END)
FROM events
WHERE label IS NOT NULL
GROUP BY received_us / 3600000000, source_id, gateway
"""


def upgrade() -> None:
    op.create_table(
        "reply_hourly",
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False, comment="UTC hour of receipt"),
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway", sa.String(length=60), nullable=False, comment="as in events"),
        sa.Column("answered", sa.BigInteger(), nullable=False, comment="events with a label"),
        sa.Column("undetermined", sa.BigInteger(), nullable=False, comment="of those, labelled undetermined"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_reply_hourly_source_id")),
        sa.PrimaryKeyConstraint("hour", "source_id", "gateway", name=op.f("pk_reply_hourly")),
        comment="How many answers came, and how many no rule knows: an exact count of the events.",
    )
    op.create_table(
        "rule_sets",
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("first_used_us", sa.BigInteger(), nullable=False, comment="first start of a worker, or replay, with it"),
        sa.Column("replayed_us", sa.BigInteger(), nullable=True, comment="when all stored events were last labelled anew with it"),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rule_sets")),
        comment="Which versions of the classifier's rules were in use since when.",
    )
    op.execute(_COUNT)


def downgrade() -> None:
    op.drop_table("rule_sets")
    op.drop_table("reply_hourly")
