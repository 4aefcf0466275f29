"""Which values does a written path mean in a piece of JSON?

`data.email` goes down by keys, `events[0]` takes one element and `events[]` each, `headers."x.y"` is a key with a dot in it. A path starts
at the event; with `^` before it at the object around the event, with `$` at the whole body. A value that is not there is no error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_EACH = -1
_STEP = re.compile(r'(?:\.|^)(?:"((?:[^"\\]|\\.)+)"|([^."\[\]\s]+))|\[(\d{0,4})\]')
_LONGEST = 300

Step = str | int  # a key, the number of an element, or each element


class PathError(ValueError):
    """What is written is no path; the text says where it breaks and what a path looks like."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path, read."""

    steps: tuple[Step, ...]
    start: str = ""  # "", "^" or "$"

    def values(self, around: tuple[object, ...]) -> Iterator[object]:
        """Every value that it means; `around` holds the whole body first, then each object towards the event, which is last."""
        if self.start == "^":
            return _walk(around[-2] if len(around) > 1 else None, self.steps)
        return _walk(around[0] if self.start == "$" else around[-1], self.steps)

    def elements(self, body: object) -> Iterator[tuple[object, ...]]:
        """Each element that it means, after the objects around it; a list at its end is taken apart, whether `[]` says so or not."""
        steps = self.steps if self.steps[-1] == _EACH else (*self.steps, _EACH)
        return _walk_around(body, steps, (body,) if isinstance(body, dict) else ())


def read_path(written: str) -> Path:
    """The path that a text stands for; raises PathError."""
    start = written[:1] if written[:1] in {"$", "^"} else ""
    rest = written[len(start) :].removeprefix(".") if start else written
    steps: list[Step] = []
    position = 0
    while position < len(rest):
        found = _STEP.match(rest, position)
        if not found or len(rest) > _LONGEST:
            raise PathError(f"{written[:_LONGEST]!r} breaks off at {rest[position:][:20]!r}; {_LOOKS}")
        steps.append(_step(found))
        position = found.end()
    if not steps:
        raise PathError(f"{written!r} names no key; {_LOOKS}")
    return Path(tuple(steps), start)


_LOOKS = 'a path looks like data.email, events[0].type, $.campaign or "a.b".c'


def _step(found: re.Match[str]) -> Step:
    quoted, plain, number = found.groups()
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted)
    if plain is not None:
        return plain
    return int(number) if number else _EACH


def _walk(value: object, steps: tuple[Step, ...]) -> Iterator[object]:
    for number, step in enumerate(steps):
        if step == _EACH:
            for element in _members(value):
                yield from _walk(element, steps[number + 1 :])
            return
        value = _down(value, step)
    if value is not None:
        yield value


def _walk_around(value: object, steps: tuple[Step, ...], around: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    number = steps.index(_EACH)
    for step in steps[:number]:
        value = _down(value, step)
    rest = steps[number + 1 :]
    for element in [value] if isinstance(value, dict) else _members(value):
        if rest:
            yield from _walk_around(element, rest, (*around, element))
        else:
            yield (*around, element)


def _members(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _down(value: object, step: Step) -> object:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    return value[step] if isinstance(value, list) and step < len(value) else None
