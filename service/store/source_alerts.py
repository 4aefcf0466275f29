"""When did each source post, and how are its health and the alerts about it kept?"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from service.alerting.rhythm import LEARNT_HOURS
from service.alerting.sources import Posts, SourceAlert, SourceChange, SourceHealth, SourceTrouble
from service.model.words import AlertState, Severity
from service.store import bulk
from service.store.source_tables import source_alert_transitions, source_alerts, source_health
from service.store.tables import source_hourly, sources

ACCEPTED, REFUSED, CHALLENGED = "deliveries", "refused", "challenged"  # outcomes in source_hourly
_ALERT_COLUMNS = (
    "trouble", "state", "severity", "last_hour", "missed_hours", "allowed_hours", "accepted", "refused", "opened_us",
    "last_true_us", "closed_us", "close_reason", "reopen_count",
)  # fmt: skip
_HEALTH_COLUMNS = ("source_id", "state", "last_hour", "missed_hours", "allowed_hours", "accepted", "refused", "judged_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSourceAlert:
    """A source alert, its id and its source."""

    id: str
    source_id: int
    alert: SourceAlert


def find_sources(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """Ids of those of the sources that are in the tables."""
    rows = connection.execute(select(sources.c.name, sources.c.id).where(sources.c.name.in_(names)))
    return {row.name: row.id for row in rows}


def load_posted_hours(connection: Connection, source_ids: Collection[int]) -> dict[int, list[int]]:
    """The UTC hours in which each source had a post accepted, ascending, over the weeks before its last one that teach its rhythm."""
    accepted = and_(source_hourly.c.source_id.in_(source_ids), source_hourly.c.outcome == ACCEPTED)
    last = (
        select(source_hourly.c.source_id, func.max(source_hourly.c.hour).label("hour"))
        .where(accepted)
        .group_by(source_hourly.c.source_id)
        .subquery()
    )
    rows = connection.execute(
        select(source_hourly.c.source_id, source_hourly.c.hour)
        .join(last, and_(last.c.source_id == source_hourly.c.source_id, source_hourly.c.hour > last.c.hour - LEARNT_HOURS))
        .where(accepted)
        .order_by(source_hourly.c.source_id, source_hourly.c.hour)
    )
    hours: dict[int, list[int]] = defaultdict(list)
    for source_id, hour in rows:
        hours[source_id].append(hour)
    return dict(hours)


def load_posts(connection: Connection, source_ids: Collection[int], from_hour: int) -> dict[int, dict[int, Posts]]:
    """What each source posted from this UTC hour on, by hour."""
    rows = connection.execute(
        select(source_hourly).where(
            source_hourly.c.source_id.in_(source_ids),
            source_hourly.c.hour >= from_hour,
            source_hourly.c.outcome.in_((ACCEPTED, REFUSED, CHALLENGED)),
        )
    )
    posts: dict[int, dict[int, Posts]] = defaultdict(lambda: defaultdict(Posts))
    for source_id, hour, outcome, count in rows:
        posts[source_id][hour] += Posts(*(count if outcome == known else 0 for known in (ACCEPTED, REFUSED, CHALLENGED)))
    return {source_id: dict(by_hour) for source_id, by_hour in posts.items()}


def load_newest(connection: Connection) -> dict[tuple[int, SourceTrouble], StoredSourceAlert]:
    """The newest alert about each trouble of each source, open or closed."""
    rows = connection.execute(select(source_alerts).order_by(source_alerts.c.opened_us, source_alerts.c.id))
    found = (_stored(row) for row in rows)
    return {(item.source_id, item.alert.trouble): item for item in found}


def save_source_alert(
    connection: Connection, source_id: int, alert: SourceAlert, change: SourceChange, *, alert_id: str | None, now_us: int
) -> None:
    """Write an alert as it is now, and its transition unless only figures changed."""
    values = {name: getattr(alert, name) for name in _ALERT_COLUMNS}
    if alert_id is None:
        alert_id = uuid4().hex
        connection.execute(insert(source_alerts).values(id=alert_id, source_id=source_id, **values))
    else:
        connection.execute(update(source_alerts).where(source_alerts.c.id == alert_id).values(**values))
    if change is not SourceChange.REFRESHED:
        connection.execute(
            insert(source_alert_transitions).values(
                alert_id=alert_id, at_us=now_us, state=alert.state, reason=change, severity=alert.severity
            )
        )


def save_health(connection: Connection, judged: Mapping[int, SourceHealth], now_us: int) -> None:
    """Write how the watched sources are doing, and forget those that are not watched any more."""
    connection.execute(delete(source_health).where(source_health.c.source_id.not_in(judged)))
    rows = [
        (
            source_id,
            health.state.value,
            health.last_hour,
            health.missed_hours,
            health.allowed_hours,
            health.long.accepted,
            health.long.unproven,
            now_us,
        )
        for source_id, health in sorted(judged.items())
    ]
    sets = ", ".join(f"{name} = excluded.{name}" for name in _HEALTH_COLUMNS[1:])
    bulk.upsert(connection, source_health, _HEALTH_COLUMNS, rows, conflict=f"(source_id) DO UPDATE SET {sets}")


def _stored(row: Row[Any]) -> StoredSourceAlert:
    alert = SourceAlert(
        trouble=SourceTrouble(row.trouble),
        state=AlertState(row.state),
        severity=Severity(row.severity),
        last_hour=row.last_hour,
        missed_hours=row.missed_hours,
        allowed_hours=row.allowed_hours,
        accepted=row.accepted,
        refused=row.refused,
        opened_us=row.opened_us,
        last_true_us=row.last_true_us,
        closed_us=row.closed_us,
        close_reason=SourceChange(row.close_reason) if row.close_reason else None,
        reopen_count=row.reopen_count,
    )
    return StoredSourceAlert(id=row.id, source_id=row.source_id, alert=alert)
