"""Which alerts are there, and on what evidence did each fire?"""

import json
from typing import Any

from flask import abort

from service.bootstrap import Hopp
from service.model.words import Role
from service.schemas.alerts import (
    ALERT_DETAIL_EXAMPLE,
    ALERT_LIST_EXAMPLE,
    AlertDetailSchema,
    AlertList,
    AlertQuery,
)
from service.schemas.fields import SeenUpTo
from service.schemas.next_steps import next_steps
from service.schemas.wordings import top_wordings
from service.store.database import Connection
from service.store.reading import alerts, events
from service.store.reading.alerts import AlertFilter, AlertRow
from service.web.api.lists import check_source, domain_in, page, position_in
from service.web.guard import may_see_addresses
from service.web.problems import problem
from service.web.routes import Routes
from service.web.showing import show_alert, show_event

_ANSWERS_READ = 2_000
_WORDINGS = 10
_SAMPLES = 20


def alerts_routes(hopp: Hopp) -> Routes:
    """The routes under /alerts."""
    routes = Routes("alerts", "Spikes of hard bounces at one recipient domain.")

    @routes.get("/alerts", Role.READER, AlertList, example=ALERT_LIST_EXAMPLE, query=AlertQuery)
    def list_alerts(asked: dict[str, Any]) -> dict[str, object]:
        """List alerts, newest opened first."""
        after = position_in(asked, str)
        with hopp.database.read() as connection:
            check_source(connection, hopp, asked)
            found = alerts.list_alerts(connection, _filter(asked), limit=asked["limit"], after=after)
        return page([show_alert(row) for row in found.items], found.end, asked)

    @routes.get("/alerts/<alert_id>", Role.READER, AlertDetailSchema, example=ALERT_DETAIL_EXAMPLE)
    def get_alert(alert_id: str) -> dict[str, object]:
        """Show one alert with the evidence that it fired on."""
        with hopp.database.read() as connection:
            row = alerts.find_alert(connection, alert_id) if alert_id.isalnum() else None
            if row is None:
                abort(problem(404, "There is no alert with this id. /api/v1/alerts lists those there are."))
            return _detail(connection, row)

    return routes


def _filter(asked: dict[str, Any]) -> AlertFilter:
    since = asked.get("updated_since")
    is_seq = isinstance(since, SeenUpTo)
    return AlertFilter(
        state=asked.get("state"),
        severity=asked.get("severity"),
        domain=domain_in(asked["domain"]) if "domain" in asked else None,
        domain_class=asked.get("domain_class"),
        gateway=asked.get("gateway"),
        source=asked.get("source"),
        opened_from_us=asked.get("opened_after"),
        opened_before_us=asked.get("opened_before"),
        updated_from_us=None if is_seq else since,
        updated_after_seq=since if is_seq else None,
    )


def _detail(connection: Connection, row: AlertRow) -> dict[str, object]:
    said = events.list_said(connection, row.domain, row.window_start_us, row.window_end_us, limit=_ANSWERS_READ)
    wordings = top_wordings(said, _WORDINGS)
    samples = events.load_events(connection, json.loads(row.sample_event_ids)[:_SAMPLES])
    shown = show_alert(row)
    steps = next_steps(domain=row.domain, gateway=row.gateway, people=row.reported_hard, window_hours=row.window_hours, wordings=wordings)
    return {
        **shown,
        "evidence": shown,
        "diagnostics": wordings,
        "sample_events": [show_event(event, whole=may_see_addresses()) for event in samples],
        "transitions": alerts.list_transitions(connection, row.id),
        "next_steps": steps,
    }
