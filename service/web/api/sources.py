"""How is each source doing, and what is to be done about one that is silent or refused?"""

from dataclasses import asdict
from typing import Any

from flask import abort

from service.alerting.sources import SourceTrouble
from service.bootstrap import Hopp
from service.model.words import Role
from service.schemas.fields import PageQuery
from service.schemas.sources import (
    SOURCE_DETAIL_EXAMPLE,
    SOURCE_LIST_EXAMPLE,
    UNWATCHED,
    SourceDetailSchema,
    SourceList,
)
from service.store.reading import sources
from service.store.reading.sources import SourceAlertRow, SourceRow
from service.web.api.lists import page, position_in
from service.web.problems import problem
from service.web.routes import Routes

_ALERTS_SHOWN = 50
_NEXT_STEPS = {
    SourceTrouble.SILENT: "Look at {name}'s webhook at the ESP: it has to be switched on and to post to /webhooks/{name}. If mail has"
    " really ceased, take the source out of hopp.toml.",
    SourceTrouble.REFUSED: "Compare {name}'s secret in hopp.toml with the one that the ESP shows; list a new one beside the old one. The"
    " log and hopp_webhooks_refused_total say why posts are refused.",
}


def sources_routes(hopp: Hopp) -> Routes:
    """The routes under /sources."""
    routes = Routes("sources", "Configured endpoints, and whether each posts as it usually does.")

    @routes.get("/sources", Role.READER, SourceList, example=SOURCE_LIST_EXAMPLE, query=PageQuery)
    def list_sources(asked: dict[str, Any]) -> dict[str, object]:
        """List sources with their health and the alerts that fire about them."""
        after = position_in(asked, int)
        with hopp.database.read() as connection:
            found = sources.list_sources(connection, limit=asked["limit"], after=after)
            firing = sources.load_open_alerts(connection, [row.id for row in found.items])
        return page([_shown(row, firing.get(row.id, [])) for row in found.items], found.end, asked)

    @routes.get("/sources/<source>", Role.READER, SourceDetailSchema, example=SOURCE_DETAIL_EXAMPLE)
    def get_source(source: str) -> dict[str, object]:
        """Show one source with the history of the alerts about it."""
        with hopp.database.read() as connection:
            row = sources.find_source(connection, source) if source.isprintable() else None
            if row is None:
                abort(problem(404, "There is no source of this name. /api/v1/sources lists those there are."))
            alerts = sources.list_alerts(connection, row.id, limit=_ALERTS_SHOWN)
            transitions = sources.load_transitions(connection, [alert.id for alert in alerts])
        history = [{**_shown_alert(row.name, alert), "transitions": transitions[alert.id]} for alert in alerts]
        return {**_shown(row, [alert for alert in alerts if alert.closed_us is None]), "alerts": history}

    return routes


def _shown(row: SourceRow, firing: list[SourceAlertRow]) -> dict[str, Any]:
    return {**asdict(row), "state": row.state or UNWATCHED, "open_alerts": [_shown_alert(row.name, alert) for alert in firing]}


def _shown_alert(name: str, alert: SourceAlertRow) -> dict[str, Any]:
    return {**asdict(alert), "next_step": _NEXT_STEPS[SourceTrouble(alert.trouble)].format(name=name)}
