"""Which values does a written path mean in a piece of JSON?

`data.email` goes down by keys, `events[0]` takes one element and `events[]` each, `headers."x.y"` is a key with a dot in it. A path starts
at the event; with `^` before it at the object around the event, with `$` at the whole body. A value that is not there is no error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.esp_kit.jsontext import JsonObject

EACH = -1
_STEP = re.compile(r'(?:\.|^)(?:"((?:[^"\\]|\\.)+)"|([^."\[\]\s]+))|\[(\d{0,4})\]')
_LONGEST = 300

Step = str | int  # a key, the number of an element, or EACH


class PathError(ValueError):
    """What is written is no path; the text says where it breaks and what a path looks like."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path, read."""

    steps: tuple[Step, ...]
    start: str = ""  # "", "^" or "$"

    def values(self, around: tuple[object, ...]) -> Iterator[object]:
        """Every value that it means; `around` is the whole body first, then each object towards the event, which is last."""
        if self.start == "$":
            root = around[0]
        elif self.start == "^":
            root = around[-2] if len(around) > 1 else None
        else:
            root = around[-1]
        return _walk(root, self.steps)

    def objects_around(self, body: object) -> Iterator[tuple[object, ...]]:
        """Each element that it means, after the objects that stand around it."""
        return _walk_around(body, self.steps, (body,) if isinstance(body, dict) else ())


def read_path(written: str) -> Path:
    """The path that a text stands for; raises PathError."""
    start = written[:1] if written[:1] in {"$", "^"} else ""
    rest = written[len(start) :].removeprefix(".") if start else written
    steps: list[Step] = []
    position = 0
    while position < len(rest):
        found = _STEP.match(rest, position)
        if not found or len(written) > _LONGEST:
            raise PathError(f"{written!r} breaks off at {rest[position:][:20]!r}; a path looks like data.email, events[0].type or $.\"a.b\"")
        steps.append(_step(found))
        position = found.end()
    if not steps:
        raise PathError(f"{written!r} names no key; a path looks like data.email, events[0].type or $.\"a.b\"")
    return Path(tuple(steps), start)


def _step(found: re.Match[str]) -> Step:
    quoted, plain, number = found.groups()
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted)
    if plain is not None:
        return plain
    return int(number) if number else EACH


def _walk(value: object, steps: tuple[Step, ...]) -> Iterator[object]:
    for number, step in enumerate(steps):
        if step is EACH:
            for element in value if isinstance(value, list) else ():
                yield from _walk(element, steps[number + 1 :])
            return
        value = _down(value, step)
    if value is not None:
        yield value


def _walk_around(value: object, steps: tuple[Step, ...], around: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    for number, step in enumerate(steps):
        if step is EACH:
            rest = steps[number + 1 :]
            for element in value if isinstance(value, list) else ():
                yield from _walk_around(element, rest, (*around, element)) if rest else ((*around, element),)
            return
        value = _down(value, step)
    if isinstance(value, dict) and value is not (around[-1] if around else None):
        yield (*around, value)


def _down(value: object, step: Step) -> object:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    return value[step] if isinstance(value, list) and step < len(value) else None


def as_object(value: object) -> JsonObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
