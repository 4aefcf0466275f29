"""How is an event written for others?"""

from dataclasses import fields
from datetime import UTC, datetime

from service.esp_kit.printing import KEYS, event_as_dict
from service.model.events import Event
from service.model.words import EventKind


def test_every_field_but_the_identity_is_written() -> None:
    assert set(KEYS) == {field.name for field in fields(Event)} - {"identity"}


def test_absent_values_are_written_as_none() -> None:
    written = event_as_dict(Event(kind=EventKind.OTHER, esp="example"))
    assert list(written) == list(KEYS)
    assert {key: value for key, value in written.items() if value is not None} == {"kind": "other", "esp": "example", "phase": "unknown"}


def test_values_are_those_that_json_knows() -> None:
    moment = datetime(2026, 1, 5, 8, 2, 3, tzinfo=UTC)
    written = event_as_dict(Event(kind=EventKind.OTHER, esp="example", occurred_at=moment, tags=("a",), metadata={"b": "c"}))
    assert (written["occurred_at"], written["tags"], written["metadata"]) == ("2026-01-05T08:02:03Z", ["a"], {"b": "c"})
