"""Which events are there?"""

from typing import Any

from flask import abort

from service.bootstrap import Hopp
from service.esp_kit.addresses import address_of
from service.model.words import Role
from service.schemas.events import EVENT_LIST_EXAMPLE, EventList, EventQuery
from service.store.reading.events import EventFilter, list_events
from service.web.api.lists import check_source, domain_in, page, position_in
from service.web.guard import may_see_addresses
from service.web.problems import problem, wrong_parameter
from service.web.routes import Routes
from service.web.showing import show_event


def events_routes(hopp: Hopp) -> Routes:
    """The routes under /events."""
    routes = Routes("events", "What happened to one mail for one recipient.")

    @routes.get("/events", Role.READER, EventList, example=EVENT_LIST_EXAMPLE, query=EventQuery)
    def list_all(asked: dict[str, Any]) -> dict[str, object]:
        """List events, newest received first. Readers see masked addresses."""
        if "recipient" in asked and not may_see_addresses():
            abort(problem(403, "To ask for one recipient needs the role operator."))
        after = position_in(asked, int)
        wanted = _filter(asked)
        with hopp.database.read() as connection:
            check_source(connection, hopp, asked)
            found = list_events(connection, wanted, limit=asked["limit"], after=after)
        return page([show_event(row, whole=may_see_addresses()) for row in found.items], found.end, asked)

    return routes


def _filter(asked: dict[str, Any]) -> EventFilter:
    recipient = None
    if "recipient" in asked:
        recipient = address_of(asked["recipient"])
        if recipient is None:
            abort(wrong_parameter("recipient", "Is no mail address.", "Write it as name@example.com."))
    return EventFilter(
        domain=domain_in(asked["domain"]) if "domain" in asked else None,
        recipient=recipient,
        kind=asked.get("kind"),
        source=asked.get("source"),
        label=asked.get("label"),
        from_us=asked.get("from_"),
        to_us=asked.get("to"),
        received_from_us=asked.get("updated_since"),
    )
