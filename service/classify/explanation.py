"""Why did an answer get its label: which rules matched, and why does one of them decide?"""

from collections.abc import Iterator
from dataclasses import dataclass

from service.classify.matching import Matcher, Winner, counts
from service.classify.rulebook import Rule
from service.classify.tidy import Tidied
from service.model.events import Classification
from service.model.words import Label, SmtpStage


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One rule that matched."""

    rule: str
    label: Label
    file: str
    source: str  # who says so
    evidence: str
    line: int  # 0 is the innermost answer
    standing: str  # wins, comes later, or why it does not count here


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How an answer came by its label."""

    lines: tuple[str, ...]  # as the rules see it, an inner answer first
    stage: SmtpStage | None
    matches: tuple[Match, ...]
    why: str
    classification: Classification

    def as_lines(self) -> Iterator[str]:
        """Give the explanation as text, line by line."""
        found = self.classification
        yield f"{found.label} ({found.group}, {found.persistence}, doubt {found.doubt}): {self.why}"
        if found.doubt_reason:
            yield f"doubt: {found.doubt_reason}"
        for number, line in enumerate(self.lines):
            yield f"line {number}: {line}"
        for match in self.matches:
            yield f'{match.standing}: {match.rule} -> {match.label} by "{match.evidence}" in line {match.line}'
            yield f"  {match.file}; source: {match.source}"


def explained(matcher: Matcher, tidied: Tidied, stage: SmtpStage | None, vendor: str | None, classification: Classification) -> Explanation:
    """Put together what matched and what came of it."""
    winner = matcher.winner(tidied, stage, vendor)
    if winner is not None and winner.rule.id != classification.rule:
        winner = None
    matches = tuple(
        Match(
            rule=found.rule.id,
            label=found.rule.label,
            file=found.rule.file,
            source=found.rule.source,
            evidence=found.evidence,
            line=number,
            standing=_standing(found, winner, stage, vendor),
        )
        for number, line in enumerate(tidied.lines)
        for found in matcher.matches(line)
    )
    return Explanation(
        lines=tidied.lines, stage=stage, matches=matches, why=_why(classification, winner, stage), classification=classification
    )


def _standing(found: Winner, winner: Winner | None, stage: SmtpStage | None, vendor: str | None) -> str:
    if found == winner:
        return "wins"
    if not counts(found.rule, stage, vendor):
        return _hindrance(found.rule, stage, vendor)
    if winner is None:
        return "gives way to the stage or to the ESP's own class"
    if found.rule.is_last_resort and not winner.rule.is_last_resort:
        return "reads a code, and words go before codes"
    return "comes later"


def _hindrance(rule: Rule, stage: SmtpStage | None, vendor: str | None) -> str:
    if rule.only_from and vendor not in rule.only_from:
        return f"counts only from {', '.join(sorted(rule.only_from))}"
    return f"does not count at stage {stage or 'unknown'}"


def _why(classification: Classification, winner: Winner | None, stage: SmtpStage | None) -> str:
    if classification.rule == "esp.class":
        return "no rule says anything, so the ESP's own class decides"
    if winner is not None:
        return f'rule {winner.rule.id} is the first that counts, by "{winner.evidence}"'
    if classification.rule:
        return f"the words speak of the recipient, but nothing refused at stage {stage} can"
    return "no rule matches"
