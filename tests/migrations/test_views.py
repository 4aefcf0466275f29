"""The views are promises: each column is selected here by name, and the numbers are those of the tables."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from service.model.moments import hour_of, to_us
from service.pipeline.evaluate import Evaluator
from service.pipeline.watch import SourceWatch
from service.store import ingest
from tests.pipeline.worlds import POLICY, START, database_at, event, hard, put

_PAGE = (Path(__file__).parents[2] / "docs/views.md").read_text(encoding="utf-8")
_DOMAIN_HOURLY = (
    "hour", "domain", "source", "esp", "sending_ip", "campaign", "domain_class", "gateway", "attempts", "delivered",
    "reported_hard", "soft", "repeat_hard", "warm_attempts", "warm_hard", "cold_attempts", "cold_hard",
)  # fmt: skip
_ALERT = (
    "alert_id", "state", "severity", "domain", "domain_class", "gateway", "cause", "window_hours", "window_end", "attempts",
    "reported_hard", "believed_hard", "rate", "baseline", "threshold", "opened_at", "last_true_at", "closed_at", "close_reason",
    "reopen_count", "updated_at",
)  # fmt: skip
_SOURCE_HEALTH = (
    "source", "esp", "is_test", "state", "judged_at", "last_received_at", "last_post_at", "missed_hours", "allowed_hours",
    "accepted_24h", "refused_24h", "silent_since", "refused_since",
)  # fmt: skip
_WEEK = -7 * 24 * 60


def _moment(value: datetime | str) -> datetime:
    """PostgreSQL gives a moment in the session's zone, SQLite gives its text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def test_v_domain_hourly_has_its_columns_and_adds_up(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [event(minutes=0), hard(minutes=5, message="m2"), hard(minutes=6, message="m3"), event("bert@steel.example")])
    with database.read() as connection:
        [row] = connection.execute(text(f"SELECT {', '.join(_DOMAIN_HOURLY)} FROM v_domain_hourly")).mappings()

    assert row["attempts"] == row["delivered"] + row["reported_hard"] + row["soft"] == 3
    assert (row["reported_hard"], row["repeat_hard"], row["sending_ip"], row["campaign"]) == (1, 1, "", "")
    assert _moment(row["hour"]) == START
    database.close()


def test_v_alert_has_its_columns_and_the_alerts_own_figures(database_url: str) -> None:
    database = database_at(database_url)
    people = [f"p{number}@steel.example" for number in range(5)]
    put(database, [event(person, minutes=_WEEK, message="old") for person in people])
    put(database, [hard(person, minutes=0, message="new") for person in people])
    [(alert, _)] = Evaluator(database, POLICY, holder="one").run(to_us(START) + 600_000_000)
    with database.read() as connection:
        [row] = connection.execute(text(f"SELECT {', '.join(_ALERT)} FROM v_alert")).mappings()

    assert (row["attempts"], row["reported_hard"], float(row["rate"])) == (5, 5, 1.0)
    assert float(row["baseline"]) == alert.finding.decision.expected / 5
    assert (row["gateway"], row["cause"], row["believed_hard"], row["closed_at"]) == ("", "", None, None)
    database.close()


def test_v_source_health_has_its_columns_and_says_since_when(database_url: str) -> None:
    database = database_at(database_url)
    now_us, hour = to_us(START), hour_of(to_us(START))
    put(database, [event(minutes=-60)])
    put(database, [event(minutes=-60)], source="probe", test=True)
    with database.write() as connection:
        acme = ingest.ensure_sources(connection, {"acme": ("generic", False)}, now_us)["acme"].id
        ingest.count_outcomes(connection, {(acme, past, "deliveries"): 1 for past in range(hour - 400, hour - 20)})
        watch = SourceWatch({"acme": ("generic", False), "probe": ("generic", True)})
        watch.look(connection, now_us=now_us)
        ingest.count_outcomes(connection, {(acme, hour, "refused"): 50})
        watch.look(connection, now_us=now_us + 60_000_000)
    with database.read() as connection:
        found = connection.execute(text(f"SELECT {', '.join(_SOURCE_HEALTH)} FROM v_source_health ORDER BY source")).mappings()
        watched, unwatched = found

    assert (watched["state"], watched["missed_hours"], watched["allowed_hours"]) == ("refused", 20, 12)
    assert (watched["accepted_24h"], watched["refused_24h"], watched["is_test"]) == (3, 50, 0)
    assert _moment(watched["silent_since"]) == START
    assert _moment(watched["refused_since"]) == _moment(watched["judged_at"]) == START + timedelta(minutes=1)
    assert _moment(watched["last_post_at"]) == START - timedelta(hours=21)
    assert _moment(watched["last_received_at"]) == START - timedelta(minutes=59)
    assert (unwatched["source"], unwatched["state"], unwatched["is_test"], unwatched["accepted_24h"]) == ("probe", "unwatched", 1, 0)
    assert (unwatched["judged_at"], unwatched["silent_since"], unwatched["refused_since"]) == (None, None, None)
    database.close()


def test_every_column_of_v_source_health_is_described_in_postgresql(postgres_url: str) -> None:
    database = database_at(postgres_url)
    described = text("SELECT col_description('v_source_health'::regclass, n) FROM generate_series(1, :columns) AS n")
    with database.read() as connection:
        assert None not in connection.execute(described, {"columns": len(_SOURCE_HEALTH)}).scalars().all()
    database.close()


@pytest.mark.parametrize(
    ("view", "columns"), [("v_domain_hourly", _DOMAIN_HOURLY), ("v_alert", _ALERT), ("v_source_health", _SOURCE_HEALTH)]
)
def test_the_page_names_every_column_of_every_view(view: str, columns: tuple[str, ...]) -> None:
    _, _, section = _PAGE.partition(f"\n## {view}\n")
    rows = re.findall(r"^\| (`.*?) \| ", section.partition("\n## ")[0], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(columns)


def test_no_view_shows_an_address(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [event(), hard(minutes=5, message="m2")])
    with database.read() as connection:
        for view in ("v_domain_hourly", "v_alert", "v_source_health"):
            assert "@" not in str(connection.execute(text(f"SELECT * FROM {view}")).all())
    database.close()
