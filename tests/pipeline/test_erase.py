"""A person is taken out of the tables of both databases, and what is counted afterwards still fits."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert, text

from service.model.moments import to_us
from service.model.words import Phase
from service.pipeline.erase import Erased, erase
from service.store import partitions, tables
from service.store.database import Database
from service.store.packing import pack, pack_archived
from tests.pipeline.worlds import START, database_at, event, hard, picture, put
from tests.web.rows import delivery_row

_ANNA = "anna@steel.example"


def _kept(database: Database) -> str:
    with database.read() as connection:
        people = connection.execute(text("SELECT address FROM recipients")).scalars().all()
        said = connection.execute(text("SELECT diagnostic, message_id, extra, esp_event_id FROM events")).all()
        return f"{people} {said}"


@pytest.mark.parametrize("packed_by", [pack, pack_archived])
def test_a_person_is_gone_and_the_roll_ups_stay(database_url: str, packed_by: Callable[[bytes], bytes]) -> None:
    database = database_at(database_url)
    put(database, [event(), hard(minutes=5, message="m1", phase=Phase.ASYNC), event("bert@steel.example", message="m2")])
    with database.write() as connection:
        partitions.ensure(connection, tables.deliveries, [to_us(START)])
        source_id = connection.execute(text("SELECT id FROM sources")).scalar_one()
        row = delivery_row(received_us=to_us(START)) | {"source_id": source_id, "body": packed_by(_ANNA.encode())}
        connection.execute(insert(tables.deliveries).values(**row))
    before = picture(database)
    wanted = Erased(is_known=True, deliveries=1, events=2)

    assert erase(database, _ANNA, is_dry_run=True) == wanted
    assert "anna" in _kept(database)
    assert erase(database, _ANNA, is_dry_run=False) == wanted

    assert "anna" not in _kept(database)
    after = picture(database)
    assert (after["events"], after["domain_hourly"]) == (before["events"], before["domain_hourly"])
    assert erase(database, _ANNA, is_dry_run=False) == Erased(is_known=False, deliveries=0, events=0)
    database.close()


def test_a_mail_that_came_back_is_still_the_one_that_was_delivered(database_url: str) -> None:
    """Both events lose their message id and get one that is the same again."""
    database = database_at(database_url)
    put(database, [event(), hard(minutes=5, message="m1", phase=Phase.ASYNC)])
    erase(database, _ANNA, is_dry_run=False)
    with database.read() as connection:
        ids = connection.execute(text("SELECT DISTINCT message_id FROM events")).scalars().all()
    assert [id_.startswith("erased-") for id_ in ids] == [True]
    database.close()


def test_a_name_of_two_letters_is_taken_out_of_no_other_word(database_url: str) -> None:
    database = database_at(database_url)
    put(database, [replace(hard("jo@steel.example"), diagnostic="550 <jo@steel.example> jo: job not found")])
    erase(database, "jo@steel.example", is_dry_run=False)
    with database.read() as connection:
        assert connection.execute(text("SELECT diagnostic FROM events")).scalar_one() == "550 <[erased]> jo: job not found"
    database.close()
