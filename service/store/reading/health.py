"""How are the sources, the checks and the alerts doing, in figures cheap enough for every scrape?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from threading import Lock

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import SQLAlchemyError

from service.model.moments import HOUR_US
from service.model.words import AlertState
from service.store.database import Database, DatabaseUnavailableError
from service.store.reading.drift import DriftReader, Understandings
from service.store.source_tables import source_alerts, source_health
from service.store.tables import alerts, due_checks, source_hourly, source_lag, sources

_SETTLED_HOURS = 72  # hours older than this hardly change, so their sum is kept and read again each hour

Outcome = tuple[str, str]  # source, outcome
Totals = Mapping[Outcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """When a source was last heard of, and how late its webhooks come."""

    name: str
    last_received_us: int
    lag_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSource:
    """How a watched source was doing when it was last looked at."""

    name: str
    state: str
    missed_hours: float
    allowed_hours: float | None
    firing: frozenset[str]  # troubles with an open alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All that /metrics asks the database."""

    outcomes: Totals
    sources: tuple[SourceHealth, ...]
    watched: tuple[WatchedSource, ...]
    alerts: Mapping[tuple[str, str], int]  # by state and severity
    due_checks: int
    oldest_due_us: int | None
    understood: Understandings


@dataclass(frozen=True, slots=True)
class _Settled:
    before_hour: int
    read_in_hour: int
    totals: Totals


class HealthReader:
    """Reads the figures; the part of the totals that is long over is read once an hour."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._drift = DriftReader()
        self._settled: _Settled | None = None
        self._lock = Lock()

    def read(self, now_us: int) -> Health | None:
        """The figures, or None while the database does not answer."""
        try:
            with self._database.read() as connection:
                return self._read(connection, now_us)
        except (DatabaseUnavailableError, SQLAlchemyError):
            return None

    def _read(self, connection: Connection, now_us: int) -> Health:
        due = connection.execute(select(func.count(), func.min(due_checks.c.due_us)).select_from(due_checks)).one()
        return Health(
            outcomes=self._outcomes(connection, now_us // HOUR_US),
            sources=_sources(connection),
            watched=_watched(connection),
            alerts=_alerts(connection),
            due_checks=due[0],
            oldest_due_us=due[1],
            understood=self._drift.read(connection, now_us // HOUR_US),
        )

    def _outcomes(self, connection: Connection, hour: int) -> Totals:
        with self._lock:
            settled = self._settled
        if settled is None or settled.read_in_hour != hour:
            before = hour - _SETTLED_HOURS
            settled = _Settled(before, hour, _totals(connection, from_hour=0, before_hour=before))
            with self._lock:
                self._settled = settled
        totals = dict(settled.totals)
        for outcome, count in _totals(connection, from_hour=settled.before_hour, before_hour=None).items():
            totals[outcome] = totals.get(outcome, 0) + count
        return totals


def _totals(connection: Connection, *, from_hour: int, before_hour: int | None) -> Totals:
    in_time = source_hourly.c.hour >= from_hour
    if before_hour is not None:
        in_time = and_(in_time, source_hourly.c.hour < before_hour)
    statement = (
        select(sources.c.name, source_hourly.c.outcome, func.sum(source_hourly.c["count"]))
        .join(source_hourly, and_(source_hourly.c.source_id == sources.c.id, in_time))
        .group_by(sources.c.name, source_hourly.c.outcome)
    )
    return {(name, outcome): int(count) for name, outcome, count in connection.execute(statement)}


def _sources(connection: Connection) -> tuple[SourceHealth, ...]:
    statement = (
        select(sources.c.name, source_lag.c.last_received_us, source_lag.c.log_lag_seconds)
        .join(source_lag, source_lag.c.source_id == sources.c.id)
        .order_by(sources.c.name)
    )
    return tuple(
        SourceHealth(name=name, last_received_us=received_us, lag_seconds=exp(min(log_lag, 20.0)))
        for name, received_us, log_lag in connection.execute(statement)
    )


def _watched(connection: Connection) -> tuple[WatchedSource, ...]:
    firing: dict[int, set[str]] = defaultdict(set)
    open_alerts = select(source_alerts.c.source_id, source_alerts.c.trouble).where(source_alerts.c.state == AlertState.FIRING.value)
    for source_id, trouble in connection.execute(open_alerts):
        firing[source_id].add(trouble)
    health = source_health.c
    rows = connection.execute(
        select(sources.c.id, sources.c.name, health.state, health.missed_hours, health.allowed_hours)
        .join(source_health, health.source_id == sources.c.id)
        .order_by(sources.c.name)
    )
    return tuple(
        WatchedSource(
            name=row.name,
            state=row.state,
            missed_hours=row.missed_hours,
            allowed_hours=row.allowed_hours,
            firing=frozenset(firing.get(row.id, ())),
        )
        for row in rows
    )


def _alerts(connection: Connection) -> dict[tuple[str, str], int]:
    statement = select(alerts.c.state, alerts.c.severity, func.count()).group_by(alerts.c.state, alerts.c.severity)
    return {(state, severity): count for state, severity, count in connection.execute(statement)}
