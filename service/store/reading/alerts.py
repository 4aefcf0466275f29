"""Which alerts are there, and on what evidence did each fire?"""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, select

from service.model.moments import HOUR_US
from service.model.words import AlertState, DomainClass, Severity
from service.store.reading.paging import Order, Page, Position, read_page
from service.store.tables import alert_transitions, alerts, domain_hourly, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are asked for; None asks for any."""

    state: AlertState | None = None
    severity: Severity | None = None
    domain: str | None = None
    domain_class: DomainClass | None = None
    gateway: str | None = None
    source: str | None = None  # had a hard bounce in the window that fired
    opened_from_us: int | None = None
    opened_before_us: int | None = None
    updated_from_us: int | None = None
    updated_after_seq: int | None = None

    @property
    def is_poll(self) -> bool:
        """True where changes are asked for: they come in the order in which they happened."""
        return self.updated_from_us is not None or self.updated_after_seq is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert as it is stored."""

    id: str
    domain: str
    domain_class: str
    gateway: str | None
    state: str
    severity: str
    cause: str | None
    window_hours: int
    window_end_hour: int
    rate_known: bool
    warm_n: int
    warm_k: int
    cold_n: int
    cold_k: int
    believed_hard: int | None
    ln_e: float
    ln_e_min: float
    expected: float
    shrunk_rate: float
    threshold: float
    first_event_us: int
    last_event_us: int
    hold_us: int
    opened_us: int
    last_true_us: int
    closed_us: int | None
    close_reason: str | None
    reopen_count: int
    updated_us: int
    updated_seq: int
    sample_event_ids: str

    @property
    def attempts(self) -> int:
        """Attempts: what the decision calls n."""
        return self.warm_n + self.cold_n

    @property
    def reported_hard(self) -> int:
        """Fresh reported hard bounces: what the decision calls k."""
        return self.warm_k + self.cold_k

    @property
    def window_start_us(self) -> int:
        """The first moment of the window."""
        return (self.window_end_hour + 1 - self.window_hours) * HOUR_US

    @property
    def window_end_us(self) -> int:
        """The first moment after the window."""
        return (self.window_end_hour + 1) * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow:
    """One change of an alert's state."""

    at_us: int
    state: str
    reason: str
    severity: str
    attempts: int
    reported_hard: int
    ln_e: float


def list_alerts(connection: Connection, wanted: AlertFilter, *, limit: int, after: Position | None = None) -> Page[AlertRow]:
    """Newest opened first; a poll gets oldest change first."""
    if wanted.is_poll:
        order = Order(at=alerts.c.updated_seq, id=alerts.c.id, ascending=True)
    else:
        order = Order(at=alerts.c.opened_us, id=alerts.c.id)
    return read_page(connection, _selected().where(*_conditions(wanted)), order, _alert, limit=limit, after=after)


def find_alert(connection: Connection, alert_id: str) -> AlertRow | None:
    """The alert with this id."""
    row = connection.execute(_selected().where(alerts.c.id == alert_id)).first()
    return None if row is None else _alert(row)


def find_open_alert(connection: Connection, domain: str) -> AlertRow | None:
    """The alert that is firing for this recipient domain."""
    row = connection.execute(_selected().where(alerts.c.domain == domain, alerts.c.state == AlertState.FIRING.value)).first()
    return None if row is None else _alert(row)


def list_transitions(connection: Connection, alert_id: str) -> tuple[TransitionRow, ...]:
    """Every change of one alert, oldest first."""
    columns = [alert_transitions.c[item.name] for item in fields(TransitionRow)]
    rows = connection.execute(select(*columns).where(alert_transitions.c.alert_id == alert_id).order_by(alert_transitions.c.id))
    return tuple(TransitionRow(**row._asdict()) for row in rows)


def _selected() -> Select[Any]:
    return select(*(alerts.c[item.name] for item in fields(AlertRow)))


def _alert(row: Row[Any]) -> AlertRow:
    return AlertRow(**{item.name: getattr(row, item.name) for item in fields(AlertRow)})


def _conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    exact = {
        alerts.c.state: wanted.state,
        alerts.c.severity: wanted.severity,
        alerts.c.domain: wanted.domain,
        alerts.c.domain_class: wanted.domain_class,
        alerts.c.gateway: wanted.gateway,
    }
    conditions: list[ColumnElement[bool]] = [column == str(value) for column, value in exact.items() if value is not None]
    if wanted.source is not None:
        conditions.append(_bounced_at(wanted.source))
    if wanted.opened_from_us is not None:
        conditions.append(alerts.c.opened_us >= wanted.opened_from_us)
    if wanted.opened_before_us is not None:
        conditions.append(alerts.c.opened_us < wanted.opened_before_us)
    if wanted.updated_from_us is not None:
        conditions.append(alerts.c.updated_us >= wanted.updated_from_us)
    if wanted.updated_after_seq is not None:
        conditions.append(alerts.c.updated_seq > wanted.updated_after_seq)
    return conditions


def _bounced_at(source: str) -> ColumnElement[bool]:
    hard = domain_hourly.c.warm_k + domain_hourly.c.cold_k
    return exists(
        select(domain_hourly.c.domain).where(
            domain_hourly.c.domain == alerts.c.domain,
            domain_hourly.c.hour > alerts.c.window_end_hour - alerts.c.window_hours,
            domain_hourly.c.hour <= alerts.c.window_end_hour,
            domain_hourly.c.source_id.in_(select(sources.c.id).where(sources.c.name == source)),
            hard > 0,
        )
    )
