"""When is a source noticed that has gone silent or whose posts are refused? Over real tables, on both databases."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
from sqlalchemy import text

from service.bootstrap import build
from service.model.events import Delivery
from service.model.moments import HOUR_US, hour_of, to_us
from service.pipeline.evaluate import Evaluator
from service.pipeline.refusals import RefusedPost, record_refused
from service.pipeline.watch import SourceWatch
from service.settings import Settings, SourceSettings
from service.store import ingest
from service.store.database import Database
from service.store.schema import migrate
from tests.pipeline.worlds import POLICY, START, database_at

NOW_US = to_us(START)
NOW_HOUR = hour_of(NOW_US)
WEEK_HOURS = 7 * 24
MONTH = range(NOW_HOUR - 4 * WEEK_HOURS, NOW_HOUR)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = database_at(database_url)
    yield made
    made.close()


def post(database: Database, hours: Iterable[int], *, source: str = "acme", outcome: str = "deliveries", posts: int = 3) -> None:
    """A source posts in each of these hours."""
    with database.write() as connection:
        row = ingest.ensure_sources(connection, {source: ("sendgrid", False)}, NOW_US)[source]
        ingest.count_outcomes(connection, {(row.id, hour, outcome): posts for hour in hours})


def evaluator(database: Database, *names: str) -> Evaluator:
    return Evaluator(database, POLICY, holder="one", watch=SourceWatch(dict.fromkeys(names or ("acme",), ("sendgrid", False))))


def look(database: Database, *, hours: float = 0, watching: Evaluator | None = None) -> None:
    (watching or evaluator(database)).run(NOW_US + int(hours * HOUR_US))


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def alerts(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT trouble, state FROM source_alerts ORDER BY opened_us")


def reasons(database: Database) -> list[str]:
    return [row[0] for row in rows(database, "SELECT reason FROM source_alert_transitions ORDER BY id")]


def test_a_source_in_order_has_its_health_and_no_alert(database: Database) -> None:
    post(database, MONTH)
    look(database)
    assert rows(database, "SELECT state, missed_hours, allowed_hours, accepted, refused FROM source_health") == [("regular", 0, 12, 69, 0)]
    assert alerts(database) == []


def test_silence_is_counted_and_opens_an_alert(database: Database) -> None:
    post(database, MONTH[:-13])
    look(database)
    assert alerts(database) == [("source_silent", "firing")]
    assert rows(database, "SELECT last_hour, missed_hours, allowed_hours FROM source_alerts") == [(MONTH[-14], 13.0, 12.0)]
    assert rows(database, "SELECT state, judged_us FROM source_health") == [("silent", NOW_US)]


def test_a_post_closes_it_and_the_next_silence_opens_it_again(database: Database) -> None:
    post(database, MONTH[:-13])
    watching = evaluator(database)
    look(database, watching=watching)
    look(database, hours=0.25, watching=watching)
    post(database, [NOW_HOUR])
    look(database, hours=0.5, watching=watching)
    for hour in range(1, 15):
        look(database, hours=hour, watching=watching)
    assert reasons(database) == ["opened", "recovered", "reopened"]
    assert alerts(database) == [("source_silent", "firing")]


def test_refused_posts_open_an_alert_of_their_own(database: Database) -> None:
    post(database, MONTH)
    post(database, [NOW_HOUR], outcome="refused", posts=80)
    watching = evaluator(database)
    look(database, watching=watching)
    assert alerts(database) == [("source_refused", "firing")]
    assert rows(database, "SELECT accepted, refused FROM source_alerts") == [(69, 80)]
    post(database, [NOW_HOUR, NOW_HOUR + 1], posts=100)
    look(database, hours=1, watching=watching)
    assert reasons(database) == ["opened", "recovered"]


def test_a_source_that_never_got_through_is_refused(database: Database) -> None:
    settings = Settings(database="", inbox="", sources=(SourceSettings(name="acme", esp="sendgrid"),))
    for _ in range(2):
        record_refused(database, {RefusedPost("acme", NOW_HOUR, is_challenged): 6 for is_challenged in (False, True)}, settings, NOW_US)
    look(database)
    assert rows(database, "SELECT trouble, refused FROM source_alerts") == [("source_refused", 24)]


def test_test_sources_and_those_that_nobody_configured_are_not_watched(database: Database) -> None:
    for name in ("acme", "probe"):
        post(database, MONTH[:-13], source=name)
    Evaluator(database, POLICY, holder="one", watch=SourceWatch({"probe": ("sendgrid", True)})).run(NOW_US)
    assert (alerts(database), rows(database, "SELECT * FROM source_health")) == ([], [])


def test_a_configured_source_that_never_posted_can_be_found(database: Database) -> None:
    look(database)
    assert rows(database, "SELECT source, state, last_post_at, accepted_24h FROM v_source_health") == [("acme", "learning", None, 0)]


def test_a_source_that_is_taken_out_leaves_no_alert_behind(database: Database) -> None:
    post(database, MONTH[:-13])
    look(database)
    look(database, hours=0.1, watching=evaluator(database, "another"))
    assert (alerts(database), reasons(database)) == ([("source_silent", "resolved")], ["opened", "unwatched"])
    assert rows(database, "SELECT state FROM source_health") == [("learning",)]


def test_what_was_not_heard_while_hopp_was_away_is_no_silence(database: Database) -> None:
    post(database, MONTH)
    look(database)
    watching = evaluator(database)
    look(database, hours=30, watching=watching)
    assert alerts(database) == []
    for hour in range(31, 44):
        look(database, hours=hour, watching=watching)
    assert alerts(database) == [("source_silent", "firing")]


def test_each_look_costs_one_row_for_each_source(database: Database) -> None:
    for name in ("acme", "beta"):
        post(database, MONTH[:-13], source=name)
    watching = evaluator(database, "acme", "beta")
    for minutes in range(5):
        look(database, hours=minutes / 30, watching=watching)
    assert rows(database, "SELECT count(*) FROM source_health") == [(2,)]
    assert (len(alerts(database)), reasons(database)) == (2, ["opened", "opened"])


def test_sources_are_not_judged_while_posts_wait_in_the_inbox(tmp_path: Path) -> None:
    settings = Settings(
        database=f"sqlite:///{tmp_path}/hopp.sqlite",
        inbox=f"sqlite:///{tmp_path}/inbox.sqlite",
        sources=(SourceSettings(name="acme", esp="sendgrid"),),
        batch_deliveries=2,
    )
    clock = [START]
    hopp = build(settings, now=lambda: clock[-1])
    migrate(hopp.database)
    hopp.inbox.prepare()
    waited_from = START - timedelta(minutes=5)
    post(hopp.database, MONTH[:-13])
    for number in range(3):
        hopp.inbox.append(Delivery(id=f"{number:032}", source="acme", esp="sendgrid", received_at=waited_from, body=b"[]"))
    worker = hopp.worker(Signal())
    for _ in range(2):
        worker.step()
        assert rows(hopp.database, "SELECT state FROM source_health") == []
    clock.append(START + timedelta(minutes=2))
    worker.step()
    assert rows(hopp.database, "SELECT state FROM source_health") == [("regular",)]
    hopp.inbox.close()
    hopp.database.close()
