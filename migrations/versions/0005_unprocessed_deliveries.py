"""Only deliveries that were not simply processed are indexed by their state; small bodies may be packed by a dictionary.

On the way down bodies are packed without one again: the release before has none.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

from service.store.packing import has_dictionary, pack, unpack

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_IS_LATE = "SELECT clock_timestamp() > now() + current_setting('lock_timeout')::interval"  # now() is when the transaction began
_INDEX, _TABLE = "ix_deliveries_state", "deliveries"
_COLUMNS = ["state", "received_us"]
_UNPROCESSED = sa.text("state <> 'processed'")
_PART = """
SELECT id, received_us, body FROM deliveries
WHERE received_us >= :after_us AND (received_us > :after_us OR id > :after) ORDER BY received_us, id LIMIT 50
"""
_REPACKED = "UPDATE deliveries SET body = :body WHERE id = :id AND received_us = :received_us"


def upgrade() -> None:
    _take_tables()
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, _COLUMNS, sqlite_where=_UNPROCESSED, postgresql_where=_UNPROCESSED)


def downgrade() -> None:
    _take_tables()
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, _COLUMNS)
    bind = op.get_bind()
    for id_, received_us, body in _bodies(bind):
        if has_dictionary(body):
            bind.execute(sa.text(_REPACKED), {"body": pack(unpack(body)), "id": id_, "received_us": received_us})


def _bodies(bind: sa.Connection) -> Iterator[tuple[str, int, bytes]]:
    """All of them, some at a time: they do not fit into memory."""
    after_us, after = 0, ""
    while found := bind.execute(sa.text(_PART), {"after_us": after_us, "after": after}).all():
        for id_, received_us, body in found:
            yield id_, received_us, bytes(body)
        after, after_us = found[-1].id, found[-1].received_us


def _take_tables() -> None:
    """Take what workers write before it is changed: a batch of a worker begins with `sources`, so that none is under way then.

    Readers take tables in any order; for them nothing is waited for while a lock is held, or each could wait for the other.
    """
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    while True:
        attempt = bind.begin_nested()
        bind.execute(sa.text("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE"))
        try:
            bind.execute(sa.text("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE NOWAIT"))
        except OperationalError:
            attempt.rollback()
            if bind.execute(sa.text(_IS_LATE)).scalar_one():
                raise
            bind.execute(sa.text("SELECT pg_sleep(0.1)"))
            continue
        attempt.commit()
        return
