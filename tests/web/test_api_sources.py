"""Does the API say how each source is doing?"""

import pytest

from service.model.moments import HOUR_US, hour_iso, iso
from service.schemas.sources import SOURCE_DETAIL_EXAMPLE, SOURCE_EXAMPLE
from service.store import source_tables, tables
from tests.web.rows import HOUR, NOW_US, lag_row, source_row
from tests.web.worlds import World


def alert_row(alert_id: str = "a" * 32, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "id": alert_id,
        "source_id": 1,
        "trouble": "source_silent",
        "state": "firing",
        "severity": "warning",
        "last_hour": HOUR - 30,
        "missed_hours": 16.5,
        "allowed_hours": 15.0,
        "accepted": 0,
        "refused": 0,
        "opened_us": NOW_US - HOUR_US,
        "last_true_us": NOW_US,
        "reopen_count": 0,
    }
    return row | changes


@pytest.fixture
def silent(world: World) -> World:
    """One source that is silent now and was before, and one that is not watched."""
    world.add(tables.sources, **source_row())
    world.add(tables.sources, **{**source_row(2, "probe"), "is_test": True})
    world.add(tables.source_lag, **lag_row())
    health = {"state": "silent", "last_hour": HOUR - 30, "missed_hours": 16.5, "allowed_hours": 15.0, "accepted": 0, "refused": 2}
    world.add(source_tables.source_health, source_id=1, judged_us=NOW_US, **health)
    world.add(source_tables.source_alerts, **alert_row())
    past = {"state": "resolved", "opened_us": NOW_US - 50 * HOUR_US, "closed_us": NOW_US - 40 * HOUR_US, "close_reason": "recovered"}
    world.add(source_tables.source_alerts, **alert_row("b" * 32, **past))
    for at_us, state, reason in ((NOW_US - 2, "firing", "opened"), (NOW_US - 1, "resolved", "recovered")):
        values = {"alert_id": "b" * 32, "at_us": at_us, "state": state, "reason": reason, "severity": "warning"}
        world.add(source_tables.source_alert_transitions, **values)
    return world


def test_the_list_gives_each_source_with_what_fires_about_it(silent: World) -> None:
    acme, probe = silent.ask("/api/v1/sources").get_json()["items"]
    assert acme.keys() == SOURCE_EXAMPLE.keys()
    assert (acme["name"], acme["state"], acme["missed_hours"], acme["refused_24h"]) == ("acme", "silent", 16.5, 2)
    assert (acme["judged_at"], acme["last_post_at"]) == (iso(NOW_US), hour_iso(HOUR - 30))
    (firing,) = acme["open_alerts"]
    assert (firing["alert"], firing["state"], firing["allowed_hours"]) == ("source_silent", "firing", 15)
    assert "/webhooks/acme" in firing["next_step"]
    assert (probe["state"], probe["test"], probe["judged_at"], probe["open_alerts"]) == ("unwatched", True, None, [])


def test_one_source_is_shown_with_its_history(silent: World) -> None:
    found = silent.ask("/api/v1/sources/acme").get_json()
    assert found.keys() == SOURCE_DETAIL_EXAMPLE.keys()
    assert [alert["state"] for alert in found["alerts"]] == ["firing", "resolved"]
    assert [change["reason"] for change in found["alerts"][1]["transitions"]] == ["opened", "recovered"]
    assert found["alerts"][0]["transitions"] == []
    assert [alert["id"] for alert in found["open_alerts"]] == ["a" * 32]


def test_the_list_goes_on_where_it_ended(silent: World) -> None:
    first = silent.ask("/api/v1/sources?limit=1").get_json()
    second = silent.ask(f"/api/v1/sources?limit=1&cursor={first['next_cursor']}").get_json()
    assert [item["name"] for item in (*first["items"], *second["items"])] == ["acme", "probe"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("name", ["nobody", "a%00b", "%F0%9F%90%98"])
def test_an_unknown_source_is_a_404(world: World, name: str) -> None:
    answer = world.ask(f"/api/v1/sources/{name}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_what_fires_about_a_source_shows_in_the_metrics(silent: World) -> None:
    lines = silent.client.get("/metrics").text.splitlines()
    for line in (
        'hopp_source_alerts{alert="source_silent",source="acme"} 1.0',
        'hopp_source_alerts{alert="source_refused",source="acme"} 0.0',
        'hopp_source_missed_hours{source="acme"} 16.5',
        'hopp_source_allowed_hours{source="acme"} 15.0',
    ):
        assert line in lines
    assert [line for line in lines if line.startswith("hopp_source_missed_hours{") and "probe" in line] == []


def test_without_a_rhythm_nothing_is_said_of_what_is_allowed(world: World) -> None:
    world.add(tables.sources, **source_row())
    health = {"state": "learning", "missed_hours": 0.0, "accepted": 1, "refused": 0, "judged_us": NOW_US}
    world.add(source_tables.source_health, source_id=1, **health)
    assert "hopp_source_allowed_hours{" not in world.client.get("/metrics").text
