"""How do the items of one delivery become events, so that a bad one costs only itself?"""

from collections.abc import Callable, Container, Iterable, Iterator
from itertools import islice

import orjson

from service.esp_kit import jsontext
from service.esp_kit.jsontext import JsonObject
from service.model.errors import HoppError, UnreadableError
from service.model.events import Event, Parsed, Problem
from service.model.words import EventKind

MAX_EVENTS = 20_000  # four times the largest batch that an ESP documents; keeps the memory that a hostile body takes in bounds
_MAX_FRAGMENT = 500
_OTHER = EventKind.OTHER  # looked up once: an enum's member costs more than the comparison


class NotAnEventError(HoppError):
    """A part of a delivery is no event of its ESP."""


def read_items(
    items: Iterable[object],
    read: Callable[[JsonObject], Iterable[Event]],
    *,
    known: Container[str],
    name: Callable[[Event], str | None] = lambda event: event.esp_event_type,
) -> Parsed:
    """All events that `read` finds in the items; an item that it refuses with NotAnEventError is a problem.

    An event of kind `other` whose `name` is not among the `known` ones is reported as an unknown kind.
    """
    events: list[Event] = []
    problems: list[Problem] = []
    unknown: set[str] = set()
    stream = _read_each(items, read)
    for found in islice(stream, MAX_EVENTS):
        if not isinstance(found, Event):
            problems.append(found)
            continue
        events.append(found)
        if found.kind is _OTHER and (word := name(found)) is not None and word not in known:
            unknown.add(word)
    if next(stream, None) is not None:
        problems.append(Problem(error=f"only the first {MAX_EVENTS:,} events were read"))
    return Parsed(events=tuple(events), problems=tuple(problems), unknown_kinds=tuple(sorted(unknown)))


def _read_each(items: Iterable[object], read: Callable[[JsonObject], Iterable[Event]]) -> Iterator[Event | Problem]:
    for item in items:
        try:
            yield from read(item if isinstance(item, dict) else _object_in(item))  # what came before an error stays
        except (NotAnEventError, UnreadableError) as error:
            yield problem_with(item, error)


def lines_in(body: bytes) -> list[bytes]:
    """The lines of a body of JSON Lines, which `read_items` takes as they are: a broken one costs only itself."""
    lines = [line for line in body.splitlines() if line and not line.isspace()]
    if not lines:
        raise UnreadableError("the body is empty")
    return lines


def event_type_in(item: JsonObject, key: str) -> str:
    """The ESP's name for the kind of event, without which an item is no event."""
    found = jsontext.text(item, key)
    if found is None:
        raise NotAnEventError(f"the event has no {key!r}")
    return found


def problem_with(item: object, error: HoppError) -> Problem:
    """Why the item is no event, with its beginning."""
    return Problem(error=str(error), fragment=_beginning(item))


def _object_in(item: object) -> JsonObject:
    if isinstance(item, bytes):
        return jsontext.load_object(item)
    raise NotAnEventError("an event has to be a JSON object")


def _beginning(item: object) -> str:
    try:
        written = item if isinstance(item, bytes) else orjson.dumps(item)
    except TypeError:  # nested deeper than the writer goes
        return ""
    return jsontext.clean_text(written[:_MAX_FRAGMENT].decode("utf-8", "ignore"))
