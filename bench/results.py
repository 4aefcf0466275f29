"""How do figures become bench/RESULTS.md? Section by section: a part that was not measured anew keeps its text, and its date."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

ORDER = (
    "machine",
    "single",
    "batch",
    "processing",
    "start",
    "classifier",
    "profile",
    "size",
    "hot-domain",
    "slow-disk",
    "backlog",
    "memory",
    "jetstream",
)
_SECTION = re.compile(r"<!-- begin (?P<key>[a-z-]+) -->\n(?P<text>.*?)\n<!-- end (?P=key) -->", re.DOTALL)
_GOAL_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<wanted>[^|]+) \| (?P<reached>[^|]+) \| [^|]* \| \*\*no\*\* \|$", re.MULTILINE)
_HEAD = """# Results

Written by `make bench` and `make bench-full`. Compare ratios, not figures: each ratio comes from runs that followed one another
on the same machine, and is the median of the repeats. Every run was checked: what the databases hold is what was answered with
2xx. How it is measured stands in [README.md](README.md).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure that is wanted, and the one that was reached in each repeat."""

    what: str
    wanted: float
    reached: Sequence[float]
    sense: Literal["at least", "at most"] = "at least"
    unit: str = ""
    bound: str = ""  # what keeps it from more

    @property
    def middle(self) -> float:
        return median(self.reached)

    @property
    def is_held(self) -> bool:
        return self.middle >= self.wanted if self.sense == "at least" else self.middle <= self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures with a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one part found."""

    key: str
    title: str
    goals: Sequence[Goal] = ()
    body: Sequence[str | Table] = field(default_factory=tuple)


def shown(figure: float, unit: str = "") -> str:
    """As many digits as mean something."""
    size = abs(figure)
    digits = f"{figure:,.0f}" if size >= 100 else f"{figure:.1f}" if size >= 10 else f"{figure:.2f}"  # noqa: PLR2004 - digits
    return f"{digits} {unit}".strip()


def rendered(section: Section, stamp: str) -> str:
    """The section as Markdown."""
    parts = [f"## {section.title}", stamp]
    if section.goals:
        parts.append(_table(Table(head=("goal", "wanted", "reached", "repeats", "held"), rows=[_goal_row(goal) for goal in section.goals])))
    parts += [_table(item) if isinstance(item, Table) else item for item in section.body]
    missed = [f"- Not held: {goal.what}. {goal.bound}" for goal in section.goals if not goal.is_held and goal.bound]
    return "\n\n".join((*parts, *(["\n".join(missed)] if missed else [])))


def merged(existing: str, texts: dict[str, str]) -> str:
    """The whole file: new texts in place of old ones, everything else as it was."""
    kept = {found["key"]: found["text"] for found in _SECTION.finditer(existing)} | texts
    known = [key for key in ORDER if key in kept]
    sections = "\n\n".join(f"<!-- begin {key} -->\n{kept[key]}\n<!-- end {key} -->" for key in known)
    return f"{_HEAD}\n{_missed(kept[key] for key in known)}\n\n{sections}\n"


def write(path: Path, key: str, text: str) -> None:
    """Put one section into the file."""
    existing = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(merged(existing, {key: text}), encoding="utf-8")


def _goal_row(goal: Goal) -> tuple[str, ...]:
    repeats = ", ".join(shown(figure) for figure in goal.reached) if len(goal.reached) > 1 else "once"
    wanted = f"{goal.sense} {shown(goal.wanted, goal.unit)}"
    return (goal.what, wanted, shown(goal.middle, goal.unit), repeats, "yes" if goal.is_held else "**no**")


def _table(table: Table) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (table.head, *table.rows)]
    return "\n".join((lines[0], "|" + "---|" * len(table.head), *lines[1:]))


def _missed(texts: Iterable[str]) -> str:
    rows = [f"- {found['what']}: {found['reached']}, wanted {found['wanted']}" for text in texts for found in _GOAL_ROW.finditer(text)]
    return "\n".join(("Goals that are not held:", "", *rows)) if rows else "All goals that were measured are held."
