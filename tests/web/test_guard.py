"""Is every route under /api closed to who has no right to it?"""

import pytest
from werkzeug.routing import Rule

from service.model.words import Role
from service.store import tokens
from service.web.routes import ROLE_MARK
from tests.web.rows import NOW
from tests.web.worlds import World


def _api_rules(world: World) -> list[Rule]:
    return [rule for rule in world.client.application.url_map.iter_rules() if rule.rule.startswith("/api")]


def _path(rule: Rule) -> str:
    return rule.rule.replace("<", "").replace(">", "")


def test_every_route_under_api_wants_a_token(world: World) -> None:
    rules = _api_rules(world)
    assert len(rules) >= 6
    for rule in rules:
        for method in rule.methods or ():
            answer = world.client.open(_path(rule), method=method)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_route_under_api_names_its_role(world: World) -> None:
    views = world.client.application.view_functions
    assert [rule.rule for rule in _api_rules(world) if not isinstance(getattr(views[rule.endpoint], ROLE_MARK, None), Role)] == []


def test_only_known_routes_are_open(world: World) -> None:
    rules = {rule.rule for rule in world.client.application.url_map.iter_rules() if not rule.rule.startswith("/api/v1/")}
    assert rules == {
        "/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/webhooks/<source>", "/static/<path:filename>",
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic x", "bearer\tx", "Bearer " + "x" * 5_000, "Bearer \xff", "Token x", "Bearer ' OR 1=1 --"],
)
def test_what_is_no_token_is_a_401(world: World, given: str) -> None:
    answer = world.client.get("/api/v1/alerts", headers={"Authorization": given})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/alerts"])
def test_nobody_learns_without_a_token_which_routes_there_are(world: World, path: str) -> None:
    assert world.client.get(path).status_code == 401
    assert world.ask(path).status_code == 404


def test_another_method_is_a_405_for_who_has_a_token(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[Role.ADMIN]}"}
    answer = world.client.delete("/api/v1/alerts", headers=headers)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_a_revoked_token_opens_nothing(world: World) -> None:
    with world.hopp.database.write() as connection:
        tokens.revoke(connection, Role.READER.value, NOW)
    answer = world.ask("/api/v1/alerts")
    assert (answer.status_code, 'error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (401, True)


def test_a_view_without_a_role_is_for_admins_alone(world: World) -> None:
    world.client.application.add_url_rule("/api/v1/forgotten", "forgotten", lambda: "open")
    answers = [world.ask("/api/v1/forgotten", role) for role in Role]
    assert [answer.status_code for answer in answers] == [403, 403, 200]
    assert 'error="insufficient_scope"' in answers[0].headers["WWW-Authenticate"]
