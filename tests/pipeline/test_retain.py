"""What is kept long enough leaves, and what was counted stays as it was, on both databases."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import insert, text

from service.alerting.counting import Cell
from service.model.events import Event
from service.model.moments import DAY_US, HOUR_US, to_us
from service.pipeline import retain as module
from service.pipeline.retain import Housekeeper, Kept, plan, retain
from service.settings import Keep
from service.store import partitions, tables
from service.store.database import Database
from service.store.partitions import Month
from tests.pipeline.worlds import START, database_at, event, hard, picture, put
from tests.web.rows import delivery_row, source_row

_DAY = 24 * 60
_KEEP = Keep(archive_days=30, events_days=90, hourly_days=200)
_NOW_US = to_us(START + timedelta(days=100))  # 10 June: February and before are more than 90 days old, April more than 30


def _stream() -> list[Event]:
    """Bounced in January and delivered to in February, which is too old; bounced in May, which is not."""
    return [
        hard(minutes=-60 * _DAY, message="m1"),
        event("bert@steel.example", minutes=-20 * _DAY, message="m2"),
        event(minutes=60 * _DAY, message="m3"),
    ]


def _put_each(database: Database, stream: Sequence[Event]) -> None:
    for item in stream:
        put(database, [item])


def _drop(database: Database, keep: Keep = _KEEP) -> dict[Kept, int]:
    counts = dict.fromkeys(Kept, 0)
    for step in retain(database, keep, _NOW_US):
        counts[step.what] += step.rows
    return counts


def test_old_events_leave_and_nothing_else_changes(database_url: str) -> None:
    database = database_at(database_url)
    _put_each(database, _stream())
    before = picture(database)
    assert [(item.what, item.rows) for item in plan(database, _KEEP, _NOW_US)] == [(Kept.ARCHIVE, 0), (Kept.EVENTS, 2), (Kept.HOURLY, 0)]

    assert _drop(database)[Kept.EVENTS] == 2

    after = picture(database)
    assert after["events"] == before["events"][:0] + [row for row in before["events"] if row[3] > _NOW_US - 90 * DAY_US]
    assert (after["recipients"], after["domain_hourly"]) == (before["recipients"], before["domain_hourly"])
    assert _drop(database)[Kept.EVENTS] == 0
    database.close()


def test_a_late_event_is_counted_as_if_nothing_had_left(database_url: str) -> None:
    """It folds its recipient anew, and the bounce that made this one a repeat is not kept any more."""
    database = database_at(database_url)
    _put_each(database, [hard(minutes=-60 * _DAY, message="m1"), hard(minutes=62 * _DAY, message="m3")])
    _drop(database)
    put(database, [hard(minutes=61 * _DAY, message="m2")])
    with database.read() as connection:
        cells = connection.execute(text("SELECT cell FROM events ORDER BY occurred_us")).scalars().all()
    assert cells == [Cell.REPEAT_HARD, Cell.REPEAT_HARD]
    database.close()


def test_a_key_leaves_with_its_event(database_url: str) -> None:
    database = database_at(database_url)
    _put_each(database, _stream())
    _drop(database)
    assert len(put(database, _stream()[:1]).kept) == 1
    assert put(database, _stream()[2:]).kept == ()
    database.close()


def test_old_deliveries_leave_with_what_they_hold(database_url: str) -> None:
    database = database_at(database_url)
    moments = {f"{number:032}": _NOW_US - days * DAY_US for number, days in enumerate((100, 70, 5))}
    with database.write() as connection:
        connection.execute(insert(tables.sources).values(**source_row()))
        for received_us in moments.values():
            partitions.ensure(connection, tables.deliveries, [received_us])
        for id_, received_us in moments.items():
            connection.execute(insert(tables.deliveries).values(**delivery_row(id_, received_us=received_us)))
    assert _drop(database)[Kept.ARCHIVE] == 2
    with database.read() as connection:
        assert connection.execute(text("SELECT id FROM deliveries")).scalars().all() == [f"{2:032}"]
    database.close()


def test_old_hours_leave_a_day_at_a_time(database_url: str) -> None:
    database = database_at(database_url)
    _put_each(database, [event(minutes=-number * 50 * _DAY, message=f"m{number}") for number in (1, 3, 5)])
    assert _drop(database)[Kept.HOURLY] == 2
    with database.read() as connection:
        oldest = connection.execute(text("SELECT min(hour) FROM domain_hourly")).scalar_one()
    assert oldest * HOUR_US >= _NOW_US - 200 * DAY_US
    database.close()


def test_what_is_kept_for_ever_never_leaves(database_url: str) -> None:
    database = database_at(database_url)
    _put_each(database, _stream())
    assert _drop(database, Keep(archive_days=0)) == dict.fromkeys(Kept, 0)
    database.close()


def test_the_housekeeper_does_a_little_each_minute_and_begins_anew_each_day(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_at(database_url)
    _put_each(database, _stream())
    monkeypatch.setattr(module, "_STEPS_AT_ONCE", 1)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 1)
    housekeeper, left = Housekeeper(database, _KEEP), []
    for minute in range(3):
        housekeeper.look(_NOW_US + minute * 60_000_000)
        left.append(len(picture(database)["events"]))
    put(database, _stream()[:1])
    housekeeper.look(_NOW_US + DAY_US)
    assert (left, len(picture(database)["events"])) == ([2, 1, 1], 1)
    database.close()


def test_a_month_that_somebody_reads_leaves_later(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_LOCK_TIMEOUT", "100ms")
    database = database_at(postgres_url)
    _put_each(database, _stream())
    housekeeper = Housekeeper(database, _KEEP)
    with database.read() as reader:
        reader.execute(text("SELECT count(*) FROM events"))
        housekeeper.look(_NOW_US)
        assert len(picture(database)["events"]) == 3
    housekeeper.look(_NOW_US + HOUR_US)
    assert len(picture(database)["events"]) == 1
    with database.read() as connection:
        assert not any(part.holds(Month(2026, 1)) for part in partitions.list_partitions(connection, tables.events))
    database.close()
