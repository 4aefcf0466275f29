"""What is a rule made of, and when is one written wrongly?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from service.model.errors import DataFileError
from service.model.likeness import meant
from service.model.words import Doubt, Label, Persistence, SmtpStage

RULE_KEYS = frozenset(
    {
        "id",
        "pattern",
        "label",
        "persistence",
        "doubt",
        "doubt_reason",
        "vendor",
        "source",
        "stages",
        "only_from",
        "examples",
        "not_examples",
    }
)
FINGERPRINT_KEYS = frozenset({"pattern", "vendor"})
_Word = TypeVar("_Word", Label, Persistence, Doubt, SmtpStage)


class RuleError(DataFileError):
    """A rule file cannot be used: the text names the file, the rule, the fault and the mend."""

    def __init__(self, file: str, rule: str, fault: str, mend: str) -> None:
        place = f"{file}, rule `{rule}`" if rule else file
        super().__init__(f"{place} {fault}; {mend}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One wording and what it means."""

    id: str
    patterns: tuple[str, ...]  # any of them; RE2 syntax, against a tidied line
    label: Label
    source: str  # who says so
    file: str
    examples: tuple[str, ...]  # answers that this rule must win
    not_examples: tuple[str, ...] = ()  # answers that it must leave to others
    persistence: Persistence | None = None  # None: what is usual for the label and the reply code
    doubt: Doubt | None = None  # None: the general rules of doubt decide
    doubt_reason: str | None = None
    vendor: str | None = None  # who speaks so
    only_from: frozenset[str] = frozenset()  # counts only where one of these vendors answers: house codes
    stages: frozenset[SmtpStage] = frozenset()  # counts only at these stages
    is_last_resort: bool = False  # reads a code and not words


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Words that give a vendor away, whatever the answer means."""

    pattern: str
    vendor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules in the order in which they are consulted."""

    rules: tuple[Rule, ...]
    fingerprints: tuple[Fingerprint, ...]
    version: str  # changes with any change of any file: events keep what they were labelled by

    @classmethod
    def of(cls, read: tuple[tuple[Rule, ...], tuple[Fingerprint, ...]], *, version: str) -> Self:
        """Make a set of what was read from files."""
        return cls(rules=read[0], fingerprints=read[1], version=version)


def read_rule(file: str, number: int, entry: Mapping[str, object], defaults: Mapping[str, object]) -> Rule:
    """Make a rule of one TOML table; the file's own `vendor` and `source` stand in where the rule has none."""
    name = entry.get("id")
    rule_id = name if isinstance(name, str) and name else f"number {number}"
    field = _Fields(file, rule_id, {**{key: defaults[key] for key in ("vendor", "source") if key in defaults}, **entry})
    if rule_id != name:
        raise field.error("has no id", 'give it one, such as id = "acme.blocked"')
    unknown = sorted(set(entry) - RULE_KEYS)
    if unknown:
        raise field.error(f"has the unknown key `{unknown[0]}`", f"use {', '.join(sorted(RULE_KEYS))}")
    label = field.word("label", Label)
    if label is None:
        raise field.error("has no label", f"use one of {', '.join(Label)}")
    return Rule(
        id=rule_id,
        file=file,
        patterns=field.required_texts("pattern", "a pattern"),
        label=label,
        source=field.required_text("source", "say who says so: a document, or a reply seen"),
        examples=field.required_texts("examples", "an example"),
        not_examples=field.texts("not_examples"),
        persistence=field.word("persistence", Persistence),
        doubt=field.word("doubt", Doubt),
        doubt_reason=field.text("doubt_reason"),
        vendor=field.text("vendor"),
        only_from=frozenset(field.texts("only_from")),
        stages=frozenset(field.words("stages", SmtpStage)),
        is_last_resort=defaults.get("last_resort") is True,
    )


def read_fingerprint(file: str, number: int, entry: Mapping[str, object]) -> Fingerprint:
    """Make a fingerprint of one TOML table."""
    field = _Fields(file, f"fingerprint {number}", entry)
    unknown = sorted(set(entry) - FINGERPRINT_KEYS)
    if unknown:
        raise field.error(f"has the unknown key `{unknown[0]}`", f"use {', '.join(sorted(FINGERPRINT_KEYS))}")
    return Fingerprint(pattern=field.required_text("pattern", "give it one"), vendor=field.required_text("vendor", "name who speaks so"))


@dataclass(frozen=True, slots=True)
class _Fields:
    """The values of one table, each read as the type it must have."""

    file: str
    rule: str
    table: Mapping[str, object]

    def error(self, fault: str, mend: str) -> RuleError:
        return RuleError(self.file, self.rule, fault, mend)

    def text(self, key: str) -> str | None:
        value = self.table.get(key)
        if value is None or isinstance(value, str):
            return value or None
        raise self.error(f"has a `{key}` that is no text", "write it in quotes")

    def required_text(self, key: str, mend: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.error(f"has no {key}", mend)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise self.error(f"has a `{key}` that is no text or list of texts", f'write {key} = ["…"]')
        return tuple(values)

    def required_texts(self, key: str, what: str) -> tuple[str, ...]:
        values = self.texts(key)
        if not all(values) or not values:
            raise self.error(f"has no {key}", f"give it {what}: a rule is its own test")
        return values

    def words(self, key: str, kind: type[_Word]) -> tuple[_Word, ...]:
        values = self.texts(key)
        for value in values:
            if value not in kind.__members__.values():
                raise self.error(f"has an unknown {key} `{value}`{meant(value, kind)}", f"use one of {', '.join(kind)}")
        return tuple(kind(value) for value in values)

    def word(self, key: str, kind: type[_Word]) -> _Word | None:
        found = self.words(key, kind)
        if len(found) > 1:
            raise self.error(f"has several values for `{key}`", "give one")
        return found[0] if found else None
