"""New rules run over stored events give the tables that they would have given from the start."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text

from service.model.events import Event
from service.model.moments import to_us
from service.model.words import EventKind, Label
from service.pipeline.label_changes import LabelChanges
from service.pipeline.relabel import LABELLED_KINDS, apply_changes, find_changes
from service.store.answers import AnswerFilter, find_rules, load_answers, note_replayed, note_rules
from service.store.database import Database
from tests.pipeline.relabelling import (
    ALL,
    LATER_US,
    Rules,
    arrivals,
    bounced,
    empty,
    picture,
    record_all,
    relabel,
    rule_sets,
    tools_of,
)
from tests.pipeline.worlds import START, database_at, event

NOTHING: Rules = ({}, False)
UNKNOWN_USER: Rules = ({"zorb": Label.INVALID_RECIPIENT}, False)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = database_at(database_url)
    yield made
    made.close()


def _rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_a_replay_gives_the_same_tables_as_the_new_rules_from_the_start(database: Database) -> None:
    @settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
    @given(arrivals(), rule_sets(), rule_sets())
    def same_tables(batches: list[list[tuple[str, Event]]], before: Rules, after: Rules) -> None:
        empty(database)
        record_all(batches, tools_of(database, after))
        from_the_start = picture(database)
        empty(database)
        record_all(batches, tools_of(database, before))
        relabel(tools_of(database, after))
        assert picture(database) == from_the_start
        assert relabel(tools_of(database, after)) == 0

    same_tables()


def test_comparing_changes_nothing(database: Database) -> None:
    record_all([[("acme", bounced("550 zorb"))]], tools_of(database, NOTHING))
    before = picture(database)
    (stored,) = load_answers(database, ALL)
    (change,) = find_changes(stored, tools_of(database, UNKNOWN_USER).labels)
    assert (change.stored.values.label, change.now.label, change.hard_delta) == ("undetermined", "invalid_recipient", 1)
    assert picture(database) == before


def test_a_bounce_that_becomes_hard_moves_its_person_and_its_hour(database: Database) -> None:
    stream = [event(minutes=0), bounced("550 zorb", minutes=60), event(minutes=120, message="m2")]
    record_all([[("acme", item)] for item in stream], tools_of(database, NOTHING))
    relabel(tools_of(database, UNKNOWN_USER))
    assert _rows(database, "SELECT sum(warm_n), sum(warm_k), sum(cold_n), sum(soft_k) FROM domain_hourly") == [(1, 1, 2, 0)]
    assert _rows(database, "SELECT hard_count, last_hard_us FROM recipients") == [(1, to_us(START) + 3_600_000_000)]
    assert _rows(database, "SELECT delivered_since_hard FROM recipient_domains") == [(1,)]


def test_a_bounce_that_ceases_to_be_hard_gives_its_domain_back_its_deliveries(database: Database) -> None:
    stream = [event(minutes=0), bounced("550 zorb", minutes=60), event(minutes=120, message="m2")]
    record_all([[("acme", item)] for item in stream], tools_of(database, UNKNOWN_USER))
    relabel(tools_of(database, NOTHING))
    assert _rows(database, "SELECT last_hard_us, delivered_since_hard FROM recipient_domains") == [(0, 2)]
    assert _rows(database, "SELECT hard_count, last_hard_us FROM recipients") == [(0, 0)]


def test_a_fresh_hard_bounce_makes_its_domain_due(database: Database) -> None:
    record_all([[("acme", bounced("550 zorb"))]], tools_of(database, NOTHING))
    assert _rows(database, "SELECT domain FROM due_checks") == []
    relabel(tools_of(database, UNKNOWN_USER))
    assert _rows(database, "SELECT domain FROM due_checks") == [("steel.example",)]


def test_what_the_esp_reports_is_never_overruled(database: Database) -> None:
    stream = event(kind=EventKind.DEFERRED), bounced("550 zorb", minutes=1, esp_class="x")
    record_all([[("acme", item) for item in stream]], tools_of(database, NOTHING))
    with database.write() as connection:
        connection.execute(text("UPDATE events SET reported_type = 'soft' WHERE kind = 'bounced'"))
    relabel(tools_of(database, UNKNOWN_USER))
    assert _rows(database, "SELECT label, counts_as_hard FROM events WHERE kind = 'bounced'") == [("invalid_recipient", False)]


def test_a_replay_can_be_narrowed_and_goes_on_where_it_was_broken_off(database: Database) -> None:
    stream = [("acme", bounced("550 zorb")), ("other", bounced("550 zorb", minutes=60))]
    record_all([stream], tools_of(database, NOTHING))
    tools = tools_of(database, UNKNOWN_USER)
    soon = to_us(START) + 60_000_000
    assert relabel(tools, AnswerFilter(kinds=LABELLED_KINDS, from_us=soon, source="acme")) == 0
    assert relabel(tools, AnswerFilter(kinds=LABELLED_KINDS, to_us=soon)) == 1
    assert relabel(tools) == 1


def test_two_replays_at_once_count_once(database: Database) -> None:
    """Both find the same changes before either has written one."""
    record_all([[("acme", bounced("550 zorb"))]], tools_of(database, NOTHING))
    tools = tools_of(database, UNKNOWN_USER)
    (stored,) = load_answers(database, ALL)
    found = find_changes(stored, tools.labels)
    for _ in range(2):
        apply_changes(found, tools, now_us=LATER_US)
    assert _rows(database, "SELECT hard_count FROM recipients") == [(1,)]
    assert _rows(database, "SELECT answered, undetermined FROM reply_hourly") == [(1, 0)]


def test_changes_are_counted_by_old_and_new_label_with_their_wordings(database: Database) -> None:
    people = ("anna@steel.example", "bert@steel.example")
    said = [bounced(f"550 zorb for {person[:4]} <{person}>", person) for person in people]
    record_all([[("acme", item) for item in (*said, bounced("550 quux", minutes=1))]], tools_of(database, NOTHING))
    changes = LabelChanges()
    for stored in load_answers(database, ALL):
        changes.add(len(stored), find_changes(stored, tools_of(database, UNKNOWN_USER).labels))
    (change,) = changes.ranked()
    assert (changes.read, changes.changed) == (3, 2)
    assert (change.before, change.after, change.count, change.becomes_hard) == ("undetermined", "invalid_recipient", 2, 2)
    assert change.top_wordings() == [("550 zorb for # <@>", 2)]


def test_a_set_of_rules_is_remembered_by_its_first_use(database: Database) -> None:
    for moment in (5, 6):
        with database.write() as connection:
            note_rules(connection, "abc", moment)
    with database.write() as connection:
        note_replayed(connection, "abc", 7)
        note_replayed(connection, "def", 8)
    with database.read() as connection:
        assert [find_rules(connection, version) for version in ("abc", "def", "ghi")] == [(5, 7), (8, 8), None]
