"""The views are promises: each column is selected here by name, and the numbers are those of the tables."""

from datetime import UTC, datetime

from sqlalchemy import text

from service.model.moments import to_us
from service.pipeline.evaluate import Evaluator
from tests.pipeline.worlds import POLICY, START, database_at, event, hard, put

_DOMAIN_HOURLY = (
    "hour", "domain", "source", "esp", "sending_ip", "campaign", "domain_class", "gateway", "attempts", "delivered",
    "reported_hard", "soft", "repeat_hard", "warm_attempts", "warm_hard", "cold_attempts", "cold_hard",
)  # fmt: skip
_ALERT = (
    "alert_id", "state", "severity", "domain", "domain_class", "gateway", "cause", "window_hours", "window_end", "attempts",
    "reported_hard", "believed_hard", "rate", "baseline", "threshold", "opened_at", "last_true_at", "closed_at", "close_reason",
    "reopen_count", "updated_at",
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


def test_no_view_shows_an_address(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [event(), hard(minutes=5, message="m2")])
    with database.read() as connection:
        for view in ("v_domain_hourly", "v_alert"):
            assert "@" not in str(connection.execute(text(f"SELECT * FROM {view}")).all())
    database.close()
