"""Which rules speak to an answer, and which of them comes first?

Patterns are matched by RE2 sets, in time linear to the answer's length: a remote server may write what it likes without
slowing us down. Consecutive rules share a set, and the first set that decides is the last one asked. One set of all rules
would be one pass, but its automaton multiplies the states of patterns that have nothing to do with each other: an unseen
wording took ten times as long, and after some thousand wordings it stayed as slow, its memory of 64 MiB being full.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import re2

from service.classify.groups import GROUP_OF, Group
from service.classify.rulebook import Rule, RuleError, RuleSet
from service.classify.tidy import Tidied
from service.model.words import SmtpStage

_BUNDLE_LENGTH = 9_000  # characters of pattern in one set; measured as the best of few passes and few states
_SET_MEMORY = 32 << 20
BEFORE_RECIPIENT = frozenset({SmtpStage.CONNECT, SmtpStage.HELO, SmtpStage.MAIL})  # nothing refused here is about a recipient


@dataclass(frozen=True, slots=True)
class Winner:
    """The rule that decides, and the line it read."""

    rule: Rule
    line: str
    evidence: str


class Matcher:
    """A rule set, compiled."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._bundles = [_Bundle(rules) for rules in _bundled(ruleset.rules)]
        self._fingerprints = _PatternSet(("fingerprints", mark.vendor, mark.pattern) for mark in ruleset.fingerprints)
        self._vendors = [mark.vendor for mark in ruleset.fingerprints]

    def vendor(self, tidied: Tidied) -> str | None:
        """Give the vendor whose words or addresses stand in an answer, whatever it means."""
        found = self._fingerprints.hits(tidied.whole.encode())
        return self._vendors[found[0]] if found else None

    def winner(self, tidied: Tidied, stage: SmtpStage | None, vendor: str | None) -> Winner | None:
        """Give the first rule that counts here: words of an inner answer, words of the outer one, then codes."""
        last_resort: Winner | None = None
        for line in tidied.lines:
            found = next((hit for hit in self.matches(line) if counts(hit.rule, stage, vendor)), None)
            if found is not None and not found.rule.is_last_resort:
                return found
            last_resort = last_resort or found
        return last_resort

    def matches(self, line: str) -> Iterator[Winner]:
        """Give each rule that matches a line, first one first."""
        words = line.encode()
        for bundle in self._bundles:
            for rule, evidence in bundle.matches(words):
                yield Winner(rule, line, evidence)

    def is_proved(self, rule: Rule, pattern: str, line: str) -> bool:
        """Say whether this pattern of a rule matches a line by itself."""
        return pattern in rule.patterns and re2.search(pattern, line) is not None


class _PatternSet:
    """Patterns in one RE2 set, each with a compiled twin that finds the matched words."""

    def __init__(self, patterns: Iterable[tuple[str, str, str]]) -> None:
        options = re2.Options()
        options.max_mem = _SET_MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._single: list[re2._Regexp] = []
        for file, name, pattern in patterns:
            self._add(file, name, pattern)
        if self._single:
            self._set.Compile()

    def _add(self, file: str, name: str, pattern: str) -> None:
        options = re2.Options()
        options.log_errors = False
        try:
            self._single.append(re2.compile(pattern, options))
            self._set.Add(pattern)
        except re2.error as error:
            mend = "RE2 has no look-around and no back-references; write the pattern without them"
            raise RuleError(file, name, f"has the pattern `{pattern}`, which RE2 cannot take ({error})", mend) from error

    def hits(self, words: bytes) -> list[int]:
        """Give the numbers of the patterns that match, lowest first."""
        if not self._single:
            return []
        found: list[int] | None = self._set.Match(words)
        return sorted(found) if found else []

    def evidence(self, number: int, words: bytes) -> str:
        """Give the words that a pattern matched."""
        found = self._single[number].search(words)
        return words[found.start() : found.end()].decode().strip() if found else ""


class _Bundle:
    """Consecutive rules that are matched in one pass."""

    def __init__(self, rules: list[Rule]) -> None:
        self._owner = [rule for rule in rules for _ in rule.patterns]
        self._patterns = _PatternSet((rule.file, rule.id, pattern) for rule in rules for pattern in rule.patterns)

    def matches(self, words: bytes) -> Iterator[tuple[Rule, str]]:
        """Give each rule that matches once, with the words that its first matching pattern found."""
        last: Rule | None = None
        for number in self._patterns.hits(words):
            rule = self._owner[number]
            if rule is not last:
                yield rule, self._patterns.evidence(number, words)
            last = rule


def _bundled(rules: Iterable[Rule]) -> Iterator[list[Rule]]:
    bundle: list[Rule] = []
    length = 0
    for rule in rules:
        size = sum(map(len, rule.patterns))
        if bundle and length + size > _BUNDLE_LENGTH:
            yield bundle
            bundle, length = [], 0
        bundle.append(rule)
        length += size
    if bundle:
        yield bundle


def counts(rule: Rule, stage: SmtpStage | None, vendor: str | None) -> bool:
    """Say whether a matching rule may decide: the right vendor, the right stage, and no recipient before RCPT TO."""
    if rule.only_from and vendor not in rule.only_from:
        return False
    if rule.stages and stage not in rule.stages:
        return False
    return stage not in BEFORE_RECIPIENT or GROUP_OF[rule.label] is not Group.RECIPIENT
