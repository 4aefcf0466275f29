"""Do all questions to the API get an answer of the same kind?"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.model.words import Role
from service.store import tables
from tests.web.rows import alert_row, domain_row
from tests.web.worlds import World

LISTS = ("/api/v1/alerts", "/api/v1/events", "/api/v1/deliveries")


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_list_is_a_200(world: World, path: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.get_json()) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/alerts?limit=-1", "limit"),
        ("/api/v1/alerts?limit=0", "limit"),
        ("/api/v1/alerts?limit=00", "limit"),
        ("/api/v1/alerts?limit=1e3", "limit"),
        ("/api/v1/alerts?limit=%D9%A3", "limit"),
        ("/api/v1/alerts?state=angry", "state"),
        ("/api/v1/alerts?domain=", "domain"),
        ("/api/v1/alerts?domain=a%00b", "domain"),
        (f"/api/v1/alerts?domain={'x' * 400}", "domain"),
        ("/api/v1/alerts?opened_after=yesterday", "opened_after"),
        ("/api/v1/alerts?opened_after=0001-01-01T00:00:00%2B14:00", "opened_after"),
        ("/api/v1/alerts?updated_since=9999-12-31T23:59:59-14:00", "updated_since"),
        ("/api/v1/alerts?cursor=x", "cursor"),
        ("/api/v1/alerts?cursor=%F0%9F%92%A9", "cursor"),
        ("/api/v1/alerts?colour=red", "colour"),
        ("/api/v1/events?kind=bounce", "kind"),
        ("/api/v1/deliveries?state=lost", "state"),
        ("/api/v1/domains/steel.example?from=2026-03-02T10:00:00Z&to=2026-03-02T10:00:00Z", "from"),
        ("/api/v1/domains/steel.example?from=2020-03-02T10:00:00Z", "from"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_mend(world: World, path: str, field: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    (error,) = answer.get_json()["errors"]
    assert error["field"] == field
    assert error["problem"]
    assert error["mend"]


@pytest.mark.parametrize("path", [*LISTS, f"/api/v1/alerts/{'a' * 32}", "/api/v1/domains/steel.example"])
def test_an_unchanged_answer_is_a_304(world: World, path: str) -> None:
    world.add(tables.alerts, **alert_row())
    world.add(tables.recipient_domains, **domain_row())
    first = world.ask(path)
    again = world.ask(path, **{"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_changed_alert_changes_the_etag(world: World) -> None:
    world.add(tables.alerts, **alert_row())
    first = world.ask("/api/v1/alerts")
    world.add(tables.alerts, **alert_row("b", domain="x.example"))
    again = world.ask("/api/v1/alerts", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, len(again.get_json()["items"])) == (200, 2)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts/nothing",
        "/api/v1/deliveries/%00",
        "/api/v1/domains/%00",
        "/api/v1/domains/b%C3%BC",
        "/api/v1/domains/\u0300.example",
    ],
)
def test_what_is_not_there_is_a_404_with_a_next_step(world: World, path: str) -> None:
    answer = world.ask(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json()["detail"]


@given(
    path=st.sampled_from([*LISTS, "/api/v1/domains/steel.example"]),
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "domain", "state", "from", "to", "updated_since", "kind", "recipient", "source", "x"]),
        st.one_of(st.text(max_size=40), st.integers().map(str), st.datetimes().map(str)),
    ),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_ends_in_a_5xx(world: World, path: str, query: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[Role.OPERATOR]}"}
    assert world.client.get(path, query_string=query, headers=headers).status_code < 500
