"""What is known of one recipient domain, hour by hour, and which thresholds are in force for it?"""

from typing import Any

from flask import abort

from service.bootstrap import Hopp
from service.model.moments import HOUR_US, hour_of, to_us
from service.model.words import DomainClass, Role
from service.schemas.domains import DOMAIN_EXAMPLE, DomainQuery, DomainSchema
from service.store.alerts import active_domain_hours
from service.store.database import Connection
from service.store.reading import domains
from service.store.reading.alerts import find_open_alert
from service.store.reading.domains import DomainDetail, HourRow
from service.web.api.lists import domain_in
from service.web.problems import problem, wrong_parameter
from service.web.routes import Routes
from service.web.showing import show_alert, show_hour

_HOURS_DEFAULT = 48
_HOURS_MAX = 31 * 24


def domains_routes(hopp: Hopp) -> Routes:
    """The routes under /domains."""
    routes = Routes("domains", "Recipient domains.")

    @routes.get("/domains/<domain>", Role.READER, DomainSchema, example=DOMAIN_EXAMPLE, query=DomainQuery)
    def get_domain(asked: dict[str, Any], domain: str) -> dict[str, object]:
        """Show a recipient domain: hours, thresholds in force, and where its check and its alert stand."""
        now_us = to_us(hopp.now())
        from_hour, to_hour = _hours_in(asked, now_us)
        with hopp.database.read() as connection:
            found = domains.find_domain(connection, domain_in(domain)) if domain.isprintable() else None
            if found is None:
                abort(problem(404, "No mail to this recipient domain was ever reported."))
            return _shown(connection, hopp, found, range(from_hour, to_hour), now_us)

    return routes


def _hours_in(asked: dict[str, Any], now_us: int) -> tuple[int, int]:
    """First hour and the hour after the last."""
    to_hour = hour_of(asked.get("to", now_us) - 1) + 1
    from_hour = hour_of(asked["from_"]) if "from_" in asked else to_hour - _HOURS_DEFAULT
    if from_hour >= to_hour:
        abort(wrong_parameter("from", "Is not before `to`.", "Give an earlier moment."))
    if to_hour - from_hour > _HOURS_MAX:
        abort(wrong_parameter("from", "Is too far before `to`.", f"Ask for at most {_HOURS_MAX} hours at once."))
    return from_hour, to_hour


def _shown(connection: Connection, hopp: Hopp, found: DomainDetail, hours: range, now_us: int) -> dict[str, object]:
    rows = domains.list_hours(connection, found.domain, hours.start, hours.stop, nodenom_bounces=hopp.policy.nodenom_bounces)
    by_hour = {row.hour: row for row in rows}
    alert = find_open_alert(connection, found.domain)
    return {
        "domain": found.domain,
        "domain_class": found.domain_class,
        "gateway": found.gateway or None,
        "from_us": hours.start * HOUR_US,
        "to_us": hours.stop * HOUR_US,
        "hourly": [show_hour(by_hour.get(hour) or HourRow(hour=hour)) for hour in hours],
        "thresholds": _thresholds(hopp, found, active_domain_hours(connection, now_us)),
        "open_check": domains.find_open_check(connection, found.domain),
        "open_alert": alert and show_alert(alert),
        "recovery": {
            "last_hard_us": found.last_hard_us,
            "delivered_since_hard": found.delivered_since_hard,
            "deliveries_needed": hopp.policy.recover_deliveries,
            "quiet_seconds_needed": hopp.policy.recover_quiet_seconds,
            "last_attempt_us": found.last_attempt_us,
        },
    }


def _thresholds(hopp: Hopp, found: DomainDetail, domain_hours: int) -> dict[str, object]:
    policy = hopp.policy
    row = policy.thresholds(DomainClass(found.domain_class))
    return {
        "windows_hours": list(policy.windows_hours),
        "mu_warm": row.mu_warm,
        "mu_cold": row.mu_cold,
        "p0": row.p0,
        "n0": policy.n0,
        "tau": row.tau,
        "k_min": policy.k_min,
        "e_min": policy.e_min_at(domain_hours),
    }
