"""What holds for all that an adapter reads, whatever was posted? The hostile tests and the fuzzer ask it."""

from collections.abc import Iterator
from datetime import UTC

import orjson

from service.esp.generic import event_of_line
from service.esp_kit.addresses import address_of
from service.esp_kit.identity import bare_message_id
from service.esp_kit.jsontext import MAX_LISTED, MAX_TEXT
from service.esp_kit.printing import event_as_dict
from service.esp_kit.reading import MAX_EVENTS
from service.esp_kit.replies import MAX_DIAGNOSTIC
from service.model.events import Event, Parsed
from tests.esp.cases import shown

LOOKED_AT = 50  # of a delivery's events


def check_sound(parsed: Parsed) -> None:
    """Fail where an event or a problem could not be kept or shown as it is."""
    assert len(parsed.events) + len(parsed.problems) <= MAX_EVENTS + 1
    assert all(len(problem.fragment) <= 500 and problem.error for problem in parsed.problems)
    assert all(act.url.startswith("https://") for act in parsed.acts)
    for event in parsed.events[:LOOKED_AT]:
        _check_event(event)


def check_import(event: Event) -> None:
    """Fail where `import` does not take what `parse` prints; an ESP's own id with brackets in it loses them there."""
    printed = {**event_as_dict(event), "message_id": bare_message_id(event.message_id)}
    imported = event_of_line(orjson.loads(orjson.dumps(printed)))
    assert isinstance(imported, Event), imported
    read_again = event_as_dict(imported)
    changed = {key: (value, read_again[key]) for key, value in printed.items() if value is not None and read_again[key] != value}
    assert not changed, changed


def _check_event(event: Event) -> None:
    texts = list(_texts(shown(event)))
    "".join(texts).encode("utf-8", "strict")
    assert "\0" not in "".join(texts)
    assert event.identity
    assert all(isinstance(part, str) for part in event.identity)
    assert event.recipient is None or address_of(event.recipient) == event.recipient
    assert event.occurred_at is None or (event.occurred_at.tzinfo is UTC and 2000 <= event.occurred_at.year < 2100)
    assert event.smtp_code is None or 200 <= event.smtp_code <= 599
    assert event.diagnostic is None or 0 < len(event.diagnostic) <= MAX_DIAGNOSTIC
    assert all(len(text) <= MAX_TEXT for text in texts if text != event.diagnostic)
    assert len(event.tags or ()) <= MAX_LISTED
    assert len(event.metadata or ()) <= MAX_LISTED


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
