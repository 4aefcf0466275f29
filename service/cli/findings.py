"""What can be said of a thing that was looked at?"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    state: State
    what: str
    found: str
    next_step: str = ""


def ok(what: str, found: str) -> Finding:
    """All is well with it."""
    return Finding(state=State.OK, what=what, found=found)


def warn(what: str, found: str, next_step: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(state=State.WARN, what=what, found=found, next_step=next_step)


def fail(what: str, found: str, next_step: str) -> Finding:
    """It does not work."""
    return Finding(state=State.FAIL, what=what, found=found, next_step=next_step)
