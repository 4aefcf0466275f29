"""How do the items of one delivery become events?"""

from collections.abc import Iterator

import pytest

from service.esp_kit import jsontext
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject
from service.esp_kit.reading import MAX_EVENTS, NotAnEventError, event_type_in, lines_in, problem_with, read_items
from service.model.errors import UnreadableError
from service.model.events import Event
from service.model.words import EventKind

KNOWN = {"opened", "note"}


def read(item: JsonObject) -> Iterator[Event]:
    name = event_type_in(item, "type")
    kind = EventKind.OPENED if name == "opened" else EventKind.OTHER
    for _ in range(int(jsontext.text(item, "times") or 1)):
        yield Event(kind=kind, esp="example", esp_event_type=name, identity=identity_of(name))


def test_bad_item_costs_only_itself() -> None:
    parsed = read_items([{"type": "opened"}, {}, "x", None, b"{", b'{"type":"opened"}'], read, known=KNOWN)
    assert [event.kind for event in parsed.events] == ["opened", "opened"]
    assert [problem.fragment for problem in parsed.problems] == ["{}", '"x"', "null", "{"]


def test_only_types_that_nobody_knows_are_reported() -> None:
    parsed = read_items([{"type": name} for name in ("note", "new", "new", "opened")], read, known=KNOWN)
    assert parsed.unknown_kinds == ("new",)
    assert len(parsed.events) == 4


def test_type_may_have_another_name_than_the_event_gives() -> None:
    assert read_items([{"type": "note"}], read, known=KNOWN, name=lambda event: "elsewhere").unknown_kinds == ("elsewhere",)
    assert read_items([{"type": "note"}], read, known=(), name=lambda event: None).unknown_kinds == ()


@pytest.mark.parametrize(
    "items", [[{"type": "opened", "times": 3 * MAX_EVENTS}], [{"type": "opened"}] * (MAX_EVENTS + 5)], ids=["one item", "many"]
)
def test_events_of_a_delivery_are_bounded(items: list[object]) -> None:
    parsed = read_items(items, read, known=KNOWN)
    assert len(parsed.events) == MAX_EVENTS
    assert [problem.error for problem in parsed.problems] == ["only the first 20,000 events were read"]


def test_lines_are_split_and_blank_ones_left_out() -> None:
    assert lines_in(b'{"a":1}\r\n\n  \n{"b":2}') == [b'{"a":1}', b'{"b":2}']
    with pytest.raises(UnreadableError):
        lines_in(b" \n")


def test_fragment_is_short_and_fit_to_be_kept() -> None:
    problem = problem_with(b"\0\xff" + b"x" * 1_000, NotAnEventError("why"))
    assert (problem.error, problem.fragment) == ("why", "x" * 498)
    assert problem_with(jsontext.load(b"[" * 900 + b"]" * 900), NotAnEventError("why")).fragment == ""


def test_identity_is_text_and_tells_parts_apart_by_their_place() -> None:
    assert identity_of("a", None, 7, EventKind.OPENED) == ("a", "", "7", "opened")


@pytest.mark.parametrize(("written", "bare"), [("<a@b>", "a@b"), (" a ", "a"), ("<>", None), ("", None), (None, None)])
def test_message_id_loses_its_brackets(written: str | None, bare: str | None) -> None:
    assert bare_message_id(written) == bare


@pytest.mark.parametrize(
    ("metadata", "campaign"),
    [({"campaign": "q1"}, "q1"), ({"campaign_id": "7", "campaign": ""}, "7"), ({"crm": "1"}, None), ({}, None), (None, None)],
)
def test_campaign_may_stand_in_the_metadata(metadata: dict[str, str] | None, campaign: str | None) -> None:
    assert campaign_in(metadata) == campaign
