"""A database of the release before, with rows in it, comes up to this one and goes back with all of them."""

from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from sqlalchemy import insert, text

from service.model.moments import DAY_US
from service.store import kept, partitions, schema, tables
from service.store.database import Database
from service.store.packing import pack, pack_archived
from service.store.schema import SchemaBusyError
from tests.pipeline.worlds import event, put
from tests.web.rows import NOW_US, delivery_row, event_row, source_row

_BEFORE = "0003"
_EVENTS = 5
_HELD = text("SELECT mode FROM pg_locks WHERE relation = 'events'::regclass AND mode = 'ShareUpdateExclusiveLock'")


@pytest.fixture
def before(database_url: str) -> Iterator[Database]:
    """A database at the revision before, with a source, two deliveries and some events of several months."""
    database = Database(database_url)
    schema.migrate(database, _BEFORE)
    with database.write() as connection:
        connection.execute(insert(tables.sources).values(**source_row()))
        for number in range(2):
            connection.execute(insert(tables.deliveries).values(**delivery_row(f"{number:032}", received_us=NOW_US - number * 40 * DAY_US)))
        for number in range(1, _EVENTS + 1):
            row = event_row(number, received_us=NOW_US - number * 40 * DAY_US)
            del row["id"]  # given by the table, as it is to a worker's rows
            connection.execute(insert(tables.events).values(**row))
    yield database
    database.close()


def _rows(database: Database) -> tuple[list[Any], list[Any]]:
    with database.read() as connection:
        events = connection.execute(text("SELECT id, event_key, received_us FROM events ORDER BY id")).all()
        deliveries = connection.execute(text("SELECT id, received_us, state FROM deliveries ORDER BY id")).all()
    return [tuple(row) for row in events], [tuple(row) for row in deliveries]


def test_every_row_is_there_after_the_way_up_and_after_the_way_down(before: Database) -> None:
    found = _rows(before)
    assert schema.migrate(before) == (_BEFORE, schema.head_revision())
    assert _rows(before) == found
    schema.migrate(before, _BEFORE)
    assert _rows(before) == found
    schema.migrate(before)
    assert _rows(before) == found


def test_events_of_the_release_before_are_known_and_ids_go_on(before: Database) -> None:
    schema.migrate(before)
    keys = {number.to_bytes(16, "big"): NOW_US for number in range(1, _EVENTS + 2)}
    with before.write() as connection:
        assert kept.claim_event_keys(connection, keys) == {(_EVENTS + 1).to_bytes(16, "big")}
    put(before, [event()])
    with before.read() as connection:
        assert connection.execute(text("SELECT max(id) FROM events")).scalar_one() == _EVENTS + 1


def test_bodies_need_no_dictionary_after_the_way_down(database_url: str) -> None:
    """The release before has none."""
    database = Database(database_url)
    schema.migrate(database)
    bodies = {f"{number:032}": b"%d" % number * number for number in range(1, 60)}
    with database.write() as connection:
        partitions.ensure(connection, tables.deliveries, [NOW_US, NOW_US + 40 * DAY_US])
        connection.execute(insert(tables.sources).values(**source_row()))
        for number, (id_, body) in enumerate(bodies.items()):
            row = delivery_row(id_, received_us=NOW_US + number % 7 * 6 * DAY_US) | {"body": (pack, pack_archived)[number % 2](body)}
            connection.execute(insert(tables.deliveries).values(**row))
    schema.migrate(database, "0004")
    with database.read() as connection:
        rows = connection.execute(text("SELECT id, body FROM deliveries")).all()
    assert {id_: zstandard.decompress(bytes(body)) for id_, body in rows} == bodies
    database.close()


@pytest.fixture
def migrated(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL that held rows before it was partitioned."""
    database = Database(postgres_url)
    schema.migrate(database, _BEFORE)
    with database.write() as connection:
        connection.execute(insert(tables.sources).values(**source_row()))
        connection.execute(insert(tables.events).values(**event_row()))
    schema.migrate(database)
    yield database
    database.close()


def test_a_worker_of_the_release_before_may_even_write_the_first_event(postgres_url: str) -> None:
    """Whoever runs has named its sources, though nothing has come yet."""
    database = Database(postgres_url)
    schema.migrate(database, _BEFORE)
    with database.write() as connection:
        connection.execute(insert(tables.sources).values(**source_row()))
    schema.migrate(database)
    with database.write() as connection:
        connection.execute(insert(tables.events).values(**event_row()))
        assert kept.claim_event_keys(connection, {(1).to_bytes(16, "big"): NOW_US}) == set()
    database.close()


def test_what_a_worker_of_the_release_before_still_writes_is_known(migrated: Database) -> None:
    """It copies events into the table and writes no keys."""
    with migrated.write() as connection:
        connection.execute(insert(tables.events).values(**event_row(2)))
    with migrated.write() as connection:
        assert kept.claim_event_keys(connection, {(2).to_bytes(16, "big"): NOW_US}) == set()


def test_rows_from_before_lie_in_one_partition_and_new_months_get_their_own(migrated: Database) -> None:
    with migrated.write() as connection:
        [old] = partitions.list_partitions(connection, tables.events)
        assert old.is_all_before
        assert partitions.ensure(connection, tables.events, [NOW_US]) == []
        assert connection.execute(_HELD).all() == [], "workers of that month do not wait for each other"
        assert partitions.ensure(connection, tables.events, [old.end_us]) == [f"events_{old.month}"]


def test_a_migration_waits_for_no_reader_without_end(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold up every writer behind it; it gives up, changes nothing, and says what stands in its way."""
    monkeypatch.setattr(schema, "_LOCK_TIMEOUT", "100ms")
    database = Database(postgres_url)
    schema.migrate(database, _BEFORE)
    with database.read() as reader:
        reader.execute(text("SELECT count(*) FROM events"))
        with pytest.raises(SchemaBusyError, match=r"Nothing was changed\. Let long queries end"):
            schema.migrate(database)
        assert schema.current_revision(reader) == _BEFORE
    assert schema.migrate(database) == (_BEFORE, schema.head_revision())
    database.close()
