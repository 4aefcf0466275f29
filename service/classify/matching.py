"""Which rules speak to an answer, and which of them comes first?

All patterns are matched in one pass, in time linear to the answer's length (an RE2 set); a remote server may write what it
likes without slowing us down.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import re2

from service.classify.groups import GROUP_OF, Group
from service.classify.rulebook import Rule, RuleError, RuleSet
from service.classify.tidy import Tidied
from service.model.words import SmtpStage

_SET_MEMORY = 64 << 20  # the lazy automaton of some hundred patterns outgrows RE2's default of 8 MiB and would start over
_BEFORE_RECIPIENT = frozenset({SmtpStage.CONNECT, SmtpStage.HELO, SmtpStage.MAIL})


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of an answer, and which patterns match it, in order."""

    line: str
    patterns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Winner:
    """The rule that decides, and the line it read."""

    rule: Rule
    line: str
    evidence: str


class Matcher:
    """A rule set, compiled."""

    def __init__(self, ruleset: RuleSet) -> None:
        options = re2.Options()
        options.max_mem = _SET_MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._rules = ruleset.rules
        self._fingerprints = ruleset.fingerprints
        self._owner: list[int] = []  # by pattern: position of its rule; fingerprints come after all rules
        self._patterns: list[re2._Regexp] = []
        for position, rule in enumerate(self._rules):
            for pattern in rule.patterns:
                self._add(pattern, position, rule.file, rule.id)
        for position, mark in enumerate(self._fingerprints, start=len(self._rules)):
            self._add(mark.pattern, position, "fingerprints", mark.vendor)
        if self._owner:
            self._set.Compile()

    def _add(self, pattern: str, position: int, file: str, name: str) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            self._patterns.append(re2.compile(pattern, options))
            self._set.Add(pattern)
        except re2.error as error:
            mend = "RE2 has no look-around and no back-references; write the pattern without them"
            raise RuleError(file, name, f"has the pattern `{pattern}`, which RE2 cannot take ({error})", mend) from error
        self._owner.append(position)

    def read(self, tidied: Tidied) -> tuple[Heard, ...]:
        """Match each line of an answer once."""
        if not self._owner:
            return tuple(Heard(line, ()) for line in tidied.lines)
        return tuple(Heard(line, tuple(sorted(self._set.Match(line.encode()) or ()))) for line in tidied.lines)

    def evidence(self, pattern: int, line: str) -> str:
        """Give the words that a pattern matched."""
        words = line.encode()  # in bytes RE2 need not count letters
        found = self._patterns[pattern].search(words)
        return words[found.start() : found.end()].decode().strip() if found else ""

    def patterns_of(self, rule: Rule, line: str) -> set[str]:
        """Give the patterns of this rule that match."""
        return {pattern for pattern in rule.patterns if re2.search(pattern, line)}

    def rule_at(self, pattern: int) -> Rule | None:
        """Give the rule that a pattern belongs to; None for a fingerprint."""
        owner = self._owner[pattern]
        return self._rules[owner] if owner < len(self._rules) else None

    def vendor(self, heard: tuple[Heard, ...]) -> str | None:
        """Give the vendor whose words or addresses stand in an answer, whatever it means."""
        for line in heard:
            for pattern in line.patterns:
                owner = self._owner[pattern] - len(self._rules)
                if owner >= 0:
                    return self._fingerprints[owner].vendor
        return None

    def rules_in(self, heard: Heard) -> Iterator[tuple[int, Rule]]:
        """Give the rules that match a line, first one first, each with its pattern."""
        for pattern in heard.patterns:
            rule = self.rule_at(pattern)
            if rule is not None:
                yield pattern, rule

    def winner(self, heard: tuple[Heard, ...], stage: SmtpStage | None, vendor: str | None) -> Winner | None:
        """Give the first rule that counts here: words of an inner answer, words of the outer one, then codes."""
        last_resort: Winner | None = None
        for line in heard:
            for pattern, rule in self.rules_in(line):
                if not counts(rule, stage, vendor):
                    continue
                if not rule.is_last_resort:
                    return Winner(rule, line.line, self.evidence(pattern, line.line))
                last_resort = last_resort or Winner(rule, line.line, self.evidence(pattern, line.line))
                break
        return last_resort


def counts(rule: Rule, stage: SmtpStage | None, vendor: str | None) -> bool:
    """Say whether a matching rule may decide: the right vendor, the right stage, and no recipient before RCPT TO."""
    if rule.only_from and vendor not in rule.only_from:
        return False
    if rule.stages and stage not in rule.stages:
        return False
    return stage not in _BEFORE_RECIPIENT or GROUP_OF[rule.label] is not Group.RECIPIENT
