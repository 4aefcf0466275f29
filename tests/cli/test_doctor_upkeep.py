"""Does the doctor see tables that will not stay fast?"""

from dataclasses import replace
from typing import Any

import pytest

from service.bootstrap import Hopp
from service.cli.doctor_upkeep import examine_upkeep, postgres_findings, sqlite_findings
from service.cli.findings import State
from service.model.moments import to_us
from service.store import partitions
from service.store.upkeep import PostgresUpkeep, SqliteUpkeep, TableUpkeep, load_postgres_upkeep
from tests.cli.installations import Clock
from tests.pipeline.worlds import START, database_at

_TABLE = TableUpkeep(name="recipients", live_rows=100_000, dead_rows=10_000, is_left_out=False)
_SOUND = PostgresUpkeep(
    vacuums=True,
    max_wal_bytes=2**30,
    checkpoint_seconds=300,
    checkpoints_timed=100,
    checkpoints_forced=3,
    tables=(_TABLE,),
    missing_partitions=(),
)


def test_a_sound_postgresql_is_left_in_peace() -> None:
    assert [finding.state for finding in postgres_findings(_SOUND)] == [State.OK] * 3


@pytest.mark.parametrize(
    ("changes", "what", "state"),
    [
        ({"vacuums": False}, "vacuum", State.FAIL),
        ({"tables": (replace(_TABLE, is_left_out=True),)}, "vacuum", State.WARN),
        ({"tables": (replace(_TABLE, dead_rows=90_000),)}, "vacuum", State.WARN),
        ({"checkpoints_forced": 101}, "checkpoints", State.WARN),
        ({"checkpoint_seconds": 60}, "checkpoints", State.WARN),
        ({"missing_partitions": ("events_2026_05",)}, "partitions", State.WARN),
    ],
)
def test_what_slows_postgresql_is_named_with_its_mend(changes: dict[str, Any], what: str, state: State) -> None:
    [finding] = [item for item in postgres_findings(replace(_SOUND, **changes)) if item.state is not State.OK]
    assert (finding.what, finding.state, bool(finding.next_step)) == (what, state, True)


def test_a_log_that_no_checkpoint_ends_and_a_file_that_is_mostly_free_are_seen() -> None:
    assert [item.state for item in sqlite_findings(SqliteUpkeep(log_bytes=16_000_000, pages=100_000, free_pages=0))] == [State.OK]
    swollen = SqliteUpkeep(log_bytes=400_000_000, pages=100_000, free_pages=80_000)
    assert [(item.what, item.state) for item in sqlite_findings(swollen)] == [("checkpoints", State.WARN), ("file", State.WARN)]


def test_postgresql_itself_answers_every_question(postgres_url: str) -> None:
    database = database_at(postgres_url)
    with database.read() as connection:
        found = load_postgres_upkeep(connection, to_us(START))
    assert found.vacuums
    assert "events_2026_03" in found.missing_partitions
    assert {"recipients", "domain_hourly"} <= {table.name for table in found.tables}
    partitions.ensure_ahead(database, to_us(START))
    with database.read() as connection:
        assert load_postgres_upkeep(connection, to_us(START)).missing_partitions == ()
    database.close()


def test_an_installation_on_sqlite_is_looked_at_whole(hopp: Hopp, clock: Clock) -> None:
    found = {finding.what: finding.state for finding in examine_upkeep(hopp, clock())}
    assert found == {"checkpoints": State.OK, "kept": State.OK}
