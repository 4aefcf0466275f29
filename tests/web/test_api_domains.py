"""Does the API tell of a recipient domain what the decision counts?"""

from service.store import tables
from tests.web.rows import HOUR, NOW_US, alert_row, domain_row, hour_row, lag_row, source_row
from tests.web.worlds import World


def test_a_domain_shows_each_hour_by_the_counts_of_the_decision(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.sources, **source_row(2, "bounces-only"))
    world.add(tables.source_lag, **lag_row())
    world.add(tables.source_lag, **lag_row(2, delivered_count=0, hard_count=20))
    world.add(tables.recipient_domains, **domain_row())
    world.add(tables.domain_hourly, **hour_row(warm_n=10, warm_k=4, cold_n=2, cold_k=1, repeat_k=3, soft_k=1))
    world.add(tables.domain_hourly, **hour_row(sending_ip="192.0.2.1", warm_n=8))
    world.add(tables.domain_hourly, **hour_row(source_id=2, cold_n=6, cold_k=6))
    world.add(tables.domain_hourly, **hour_row(HOUR - 2, source_id=2, cold_n=1, cold_k=1))
    world.add(tables.due_checks, domain="steel.example", first_us=NOW_US, widest_us=180_000_000, due_us=NOW_US + 180_000_000)
    world.add(tables.alerts, **alert_row())
    world.add(tables.alerts, **alert_row("b", state="resolved"))
    shown = world.ask("/api/v1/domains/Steel.Example").get_json()
    assert (len(shown["hourly"]), shown["from"], shown["to"]) == (48, "2026-02-28T13:00:00Z", "2026-03-02T13:00:00Z")
    assert shown["hourly"][-1] == {
        "hour": "2026-03-02T12:00:00Z",
        "attempts": 20,
        "reported_hard": 5,
        "rate": 0.25,
        "warm_attempts": 18,
        "warm_reported_hard": 4,
        "cold_attempts": 2,
        "cold_reported_hard": 1,
        "repeat_hard": 3,
        "soft": 1,
        "uncounted_hard": 6,
    }
    assert (shown["hourly"][-3]["attempts"], shown["hourly"][-3]["rate"], shown["hourly"][-3]["uncounted_hard"]) == (0, None, 1)
    assert shown["thresholds"] == {
        "windows_hours": [2, 24], "mu_warm": 0.02, "mu_cold": 0.2, "p0": 0.022, "n0": 20.0, "tau": 0.1, "k_min": 4, "e_min": 100.0,
    }  # fmt: skip
    assert shown["open_check"] == {"first_at": "2026-03-02T12:30:00Z", "due_at": "2026-03-02T12:33:00Z", "hold_seconds": 180.0}
    assert shown["open_alert"]["id"] == "a" * 32
    assert (shown["recovery"]["delivered_since_hard"], shown["recovery"]["deliveries_needed"]) == (2, 5)


def test_a_domain_shows_the_hours_that_are_asked_for(world: World) -> None:
    world.add(tables.recipient_domains, **domain_row(gateway=""))
    shown = world.ask("/api/v1/domains/steel.example?from=2026-03-02T10:30:00Z&to=2026-03-02T12:00:00Z").get_json()
    assert [item["hour"] for item in shown["hourly"]] == ["2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"]
    assert (shown["open_check"], shown["open_alert"], shown["gateway"]) == (None, None, None)
