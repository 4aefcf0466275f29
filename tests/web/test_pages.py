"""Is the API described whole, for machines and for people?"""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from service.model.words import Role
from service.schemas.alerts import ALERT_DETAIL_EXAMPLE, AlertDetailSchema
from service.schemas.deliveries import DELIVERY_DETAIL_EXAMPLE, DeliveryDetailSchema
from service.schemas.domains import DOMAIN_EXAMPLE, DomainSchema
from service.schemas.events import EVENT_EXAMPLE, EventSchema
from tests.web.worlds import World

EVERY_PAGE = ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/api/v1/alerts", "/nothing")


def test_the_description_of_the_api_is_valid_openapi(world: World) -> None:
    document = world.client.get("/openapi.json").get_json()
    validate(document)
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in world.client.application.url_map.iter_rules()}
    assert served - set(document["paths"]) == {"/", "/docs", "/static/{filename}"}
    assert set(document["paths"]) <= served


def test_every_route_of_the_api_is_described_with_role_example_and_problems(world: World) -> None:
    document = world.client.get("/openapi.json").get_json()
    for path, item in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        for operation in (item[method] for method in ("get", "post") if method in item):
            assert operation["x-role"] in list(Role)
            assert operation["responses"]["200"]["content"]["application/json"]["example"]
            assert {"401", "403", "503"} <= set(operation["responses"])
            assert all(parameter.get("description") for parameter in operation.get("parameters", []) if parameter["in"] == "query")


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        (AlertDetailSchema, ALERT_DETAIL_EXAMPLE),
        (EventSchema, EVENT_EXAMPLE),
        (DeliveryDetailSchema, DELIVERY_DETAIL_EXAMPLE),
        (DomainSchema, DOMAIN_EXAMPLE),
    ],
)
def test_examples_have_the_fields_of_their_schema(schema: Any, example: dict[str, Any]) -> None:  # noqa: ANN401 - marshmallow's own
    fields = schema().fields
    assert list(example) == [field.data_key or name for name, field in fields.items()]
    nested = {name: field.schema for name, field in fields.items() if hasattr(field, "schema")}
    assert all(set(example[name]) == set(inner.fields) for name, inner in nested.items())


def test_the_page_lists_every_route_and_loads_nothing_from_elsewhere(world: World) -> None:
    page = world.client.get("/docs").text
    for path in world.client.get("/openapi.json").get_json()["paths"]:
        assert f"<code>{path}</code>" in page
    assert re.findall(r"(?:src|href)=\"(?!/|#)[^\"]*\"", page) == []
    assert "<script" not in page
    with world.client.get("/static/docs.css") as style:
        assert style.status_code == 200


def test_every_kind_of_problem_has_a_place_on_the_page(world: World) -> None:
    page = world.client.get("/docs").text
    for path in ("/nothing", "/webhooks/nobody", "/api/v1/alerts"):
        kind = world.client.get(path).get_json()["type"]
        assert f'id="{kind.partition("#")[2]}"' in page


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_browsers_are_told_to_do_nothing_but_show(world: World, path: str) -> None:
    headers = world.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
