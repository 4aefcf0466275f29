"""What is known of one recipient domain, hour by hour?"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from service.store.tables import domain_hourly, due_checks, recipient_domains, source_lag


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDetail:
    """A recipient domain as it is stored."""

    domain: str
    domain_class: str
    gateway: str
    newest_hour: int
    last_hard_us: int
    delivered_since_hard: int
    last_attempt_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """What happened at one domain in one UTC hour of event time, over the sources that tell of delivered mail.

    `uncounted_hard` is what the other sources reported: they give no denominator, so it is part of no rate.
    """

    hour: int
    warm_n: int = 0
    warm_k: int = 0
    cold_n: int = 0
    cold_k: int = 0
    repeat_k: int = 0
    soft_k: int = 0
    uncounted_hard: int = 0

    @property
    def attempts(self) -> int:
        """Attempts: what the decision calls n."""
        return self.warm_n + self.cold_n

    @property
    def reported_hard(self) -> int:
        """Fresh reported hard bounces: what the decision calls k."""
        return self.warm_k + self.cold_k


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCheck:
    """A domain that had a hard bounce and waits for its denominator."""

    first_us: int
    widest_us: int
    due_us: int


def find_domain(connection: Connection, domain: str) -> DomainDetail | None:
    """What is known of a recipient domain; None where no mail to it was ever reported."""
    row = connection.execute(select(recipient_domains).where(recipient_domains.c.domain == domain)).first()
    return None if row is None else DomainDetail(**row._asdict())


def find_open_check(connection: Connection, domain: str) -> OpenCheck | None:
    """The check that this domain waits for."""
    statement = select(due_checks.c.first_us, due_checks.c.widest_us, due_checks.c.due_us).where(due_checks.c.domain == domain)
    row = connection.execute(statement).first()
    return None if row is None else OpenCheck(**row._asdict())


def list_hours(connection: Connection, domain: str, from_hour: int, to_hour: int, *, nodenom_bounces: int) -> tuple[HourRow, ...]:
    """Hours with mail from `from_hour` up to and without `to_hour`, oldest first."""
    counts = ("warm_n", "warm_k", "cold_n", "cold_k", "repeat_k", "soft_k")
    told: dict[int, dict[str, int]] = {}
    untold: dict[int, int] = {}
    for row in connection.execute(_hours(domain, from_hour, to_hour, nodenom_bounces)):
        if row.tells_delivered:
            told[row.hour] = {name: int(getattr(row, name)) for name in counts}
        else:
            untold[row.hour] = int(row.warm_k + row.cold_k)
    hours = sorted(told.keys() | untold.keys())
    return tuple(HourRow(hour=hour, uncounted_hard=untold.get(hour, 0), **told.get(hour, {})) for hour in hours)


def _hours(domain: str, from_hour: int, to_hour: int, nodenom_bounces: int) -> Select[tuple[int, bool, int, int, int, int, int, int]]:
    tells_delivered = _tells_delivered(nodenom_bounces).label("tells_delivered")
    table = domain_hourly.c
    return (
        select(
            table.hour,
            tells_delivered,
            func.sum(table.warm_n).label("warm_n"),
            func.sum(table.warm_k).label("warm_k"),
            func.sum(table.cold_n).label("cold_n"),
            func.sum(table.cold_k).label("cold_k"),
            func.sum(table.repeat_k).label("repeat_k"),
            func.sum(table.soft_k).label("soft_k"),
        )
        .select_from(domain_hourly)
        .join(source_lag, source_lag.c.source_id == table.source_id, isouter=True)
        .where(table.domain == domain, table.hour >= from_hour, table.hour < to_hour)
        .group_by(table.hour, tells_delivered)
    )


def _tells_delivered(nodenom_bounces: int) -> ColumnElement[bool]:
    """The decision's own rule: many hard bounces and never a delivery mean that a source tells of none."""
    hard, delivered = func.coalesce(source_lag.c.hard_count, 0), func.coalesce(source_lag.c.delivered_count, 0)
    return ~and_(hard >= nodenom_bounces, delivered == 0)
