"""Which webhook posts are there, and what became of each?"""

from typing import Any

from flask import abort

from service.bootstrap import Hopp
from service.model.words import DeliveryState, Role
from service.schemas.deliveries import (
    DELIVERY_DETAIL_EXAMPLE,
    DELIVERY_LIST_EXAMPLE,
    DeliveryDetailSchema,
    DeliveryList,
    DeliveryQuery,
)
from service.store.reading import deliveries
from service.store.reading.deliveries import DeliveryFilter
from service.web.api.lists import check_source, page, position_in
from service.web.guard import may_see_addresses
from service.web.problems import problem
from service.web.routes import Routes
from service.web.showing import show_content, show_delivery

_BODY_SHOWN_BYTES = 100_000


def deliveries_routes(hopp: Hopp) -> Routes:
    """The routes under /deliveries."""
    routes = Routes("deliveries", "Webhook posts, as they came in.")

    @routes.get("/deliveries", Role.READER, DeliveryList, example=DELIVERY_LIST_EXAMPLE, query=DeliveryQuery)
    def list_all(asked: dict[str, Any]) -> dict[str, object]:
        """List deliveries, newest received first; `?state=quarantined` are those that could not be read."""
        after = position_in(asked, str)
        with hopp.database.read() as connection:
            check_source(connection, hopp, asked)
            found = deliveries.list_deliveries(connection, _filter(asked), limit=asked["limit"], after=after)
        return page([show_delivery(row, whole=may_see_addresses()) for row in found.items], found.end, asked)

    @routes.get("/deliveries/<delivery_id>", Role.READER, DeliveryDetailSchema, example=DELIVERY_DETAIL_EXAMPLE)
    def get_delivery(delivery_id: str) -> dict[str, object]:
        """Show one delivery; what came in is shown to operators only."""
        with hopp.database.read() as connection:
            row = deliveries.find_delivery(connection, delivery_id) if delivery_id.isalnum() else None
            if row is None:
                abort(problem(404, "There is no delivery with this id in the archive. It may still wait in the inbox."))
            content = deliveries.load_content(connection, delivery_id, limit_bytes=_BODY_SHOWN_BYTES) if may_see_addresses() else None
        return {**show_delivery(row, whole=may_see_addresses()), **show_content(content)}

    return routes


def _filter(asked: dict[str, Any]) -> DeliveryFilter:
    return DeliveryFilter(
        state=DeliveryState(asked["state"]) if "state" in asked else None,
        source=asked.get("source"),
        from_us=asked.get("from_"),
        to_us=asked.get("to"),
        received_from_us=asked.get("updated_since"),
    )
