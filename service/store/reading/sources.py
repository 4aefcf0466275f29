"""How is each source doing, and which alerts were there about it?"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from service.store.reading.paging import Order, Page, Position, read_page
from service.store.source_tables import source_alert_transitions, source_alerts, source_health
from service.store.tables import source_lag, sources

_FIRING = "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source; what is null was never judged, or never came."""

    id: int
    name: str
    esp: str
    is_test: bool
    first_seen_us: int
    state: str | None
    judged_us: int | None
    last_hour: int | None
    missed_hours: float | None
    allowed_hours: float | None
    accepted: int | None
    refused: int | None
    last_received_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAlertRow:
    """One alert about a source."""

    id: str
    source_id: int
    trouble: str
    state: str
    severity: str
    last_hour: int | None
    missed_hours: float
    allowed_hours: float | None
    accepted: int
    refused: int
    opened_us: int
    last_true_us: int
    closed_us: int | None
    close_reason: str | None
    reopen_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTransitionRow:
    """One change of a source alert's state."""

    at_us: int
    state: str
    reason: str
    severity: str


def list_sources(connection: Connection, *, limit: int, after: Position | None = None) -> Page[SourceRow]:
    """All sources, in the order in which they became known."""
    order = Order(at=sources.c.id, id=sources.c.id, ascending=True)
    return read_page(connection, _selected(), order, _source, limit=limit, after=after)


def find_source(connection: Connection, name: str) -> SourceRow | None:
    """The source of this name."""
    row = connection.execute(_selected().where(sources.c.name == name)).first()
    return None if row is None else _source(row)


def load_open_alerts(connection: Connection, source_ids: Collection[int]) -> dict[int, list[SourceAlertRow]]:
    """What is firing about each of these sources."""
    firing = _alerts_selected().where(source_alerts.c.source_id.in_(source_ids), source_alerts.c.state == _FIRING)
    found: dict[int, list[SourceAlertRow]] = defaultdict(list)
    for row in connection.execute(firing.order_by(source_alerts.c.opened_us)):
        found[row.source_id].append(SourceAlertRow(**row._asdict()))
    return dict(found)


def list_alerts(connection: Connection, source_id: int, *, limit: int) -> tuple[SourceAlertRow, ...]:
    """The newest alerts about a source, open and closed."""
    chosen = _alerts_selected().where(source_alerts.c.source_id == source_id)
    rows = connection.execute(chosen.order_by(source_alerts.c.opened_us.desc(), source_alerts.c.id).limit(limit))
    return tuple(SourceAlertRow(**row._asdict()) for row in rows)


def load_transitions(connection: Connection, alert_ids: Collection[str]) -> Mapping[str, list[SourceTransitionRow]]:
    """Every change of these alerts, oldest first."""
    columns = [source_alert_transitions.c[item.name] for item in fields(SourceTransitionRow)]
    rows = connection.execute(
        select(source_alert_transitions.c.alert_id, *columns)
        .where(source_alert_transitions.c.alert_id.in_(alert_ids))
        .order_by(source_alert_transitions.c.id)
    )
    found: dict[str, list[SourceTransitionRow]] = defaultdict(list)
    for alert_id, *values in rows:
        found[alert_id].append(SourceTransitionRow(**dict(zip((column.name for column in columns), values, strict=True))))
    return found


def _selected() -> Select[Any]:
    health = source_health.c
    return (
        select(
            sources.c.id,
            sources.c.name,
            sources.c.esp,
            sources.c.is_test,
            sources.c.first_seen_us,
            health.state,
            health.judged_us,
            health.last_hour,
            health.missed_hours,
            health.allowed_hours,
            health.accepted,
            health.refused,
            source_lag.c.last_received_us,
        )
        .outerjoin(source_health, health.source_id == sources.c.id)
        .outerjoin(source_lag, source_lag.c.source_id == sources.c.id)
    )


def _source(row: Row[Any]) -> SourceRow:
    return SourceRow(**{item.name: getattr(row, item.name) for item in fields(SourceRow)})


def _alerts_selected() -> Select[Any]:
    return select(*(source_alerts.c[item.name] for item in fields(SourceAlertRow)))
