"""What came of each source on the last day on which it posted, and what became of it?"""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from service.alerting.sources import Posts
from service.model.words import DeliveryState
from service.store.reading.received import in_states
from service.store.source_alerts import ACCEPTED, CHALLENGED, REFUSED
from service.store.tables import deliveries, source_hourly, sources

_DAY_HOURS = 24
_QUARANTINED, _RELEASED = DeliveryState.QUARANTINED.value, "released"
_OUTCOMES = (ACCEPTED, REFUSED, CHALLENGED, _QUARANTINED, _RELEASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The posts of a source in the 24 hours up to its last one."""

    posts: Posts = Posts()
    unread: int = 0  # of the accepted ones: those that lie in quarantine, whole or in part
    unread_reason: str = ""  # of the newest in quarantine; may quote a word of its body


def load_arrivals(connection: Connection) -> dict[str, Arrivals]:
    """By the name of the source; those that never posted are left out."""
    known = source_hourly.c.outcome.in_(_OUTCOMES)
    last = select(source_hourly.c.source_id, func.max(source_hourly.c.hour).label("hour")).where(known).group_by(source_hourly.c.source_id)
    newest = last.subquery()
    rows = connection.execute(
        select(sources.c.id, sources.c.name, source_hourly.c.outcome, func.sum(source_hourly.c["count"]))
        .join(newest, newest.c.source_id == sources.c.id)
        .join(source_hourly, and_(source_hourly.c.source_id == sources.c.id, source_hourly.c.hour > newest.c.hour - _DAY_HOURS, known))
        .group_by(sources.c.id, sources.c.name, source_hourly.c.outcome)
    )
    counts: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for id_, name, outcome, count in rows:
        counts[id_, name][outcome] = int(count)
    return {name: _arrivals(connection, id_, found) for (id_, name), found in counts.items()}


def _arrivals(connection: Connection, source_id: int, counts: dict[str, int]) -> Arrivals:
    unread = max(counts.get(_QUARANTINED, 0) - counts.get(_RELEASED, 0), 0)
    return Arrivals(
        posts=Posts(*(counts.get(outcome, 0) for outcome in (ACCEPTED, REFUSED, CHALLENGED))),
        unread=unread,
        unread_reason=_newest_reason(connection, source_id) if unread else "",
    )


def _newest_reason(connection: Connection, source_id: int) -> str:
    """Without the beginning of the body that stands behind it."""
    statement = (
        select(deliveries.c.error)
        .where(*in_states((_QUARANTINED,)), deliveries.c.source_id == source_id)
        .order_by(deliveries.c.received_us.desc())
        .limit(1)
    )
    error: str = connection.execute(statement).scalar() or ""
    return error.partition("\n")[0].partition(" {")[0].partition(" [")[0]
