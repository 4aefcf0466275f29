"""Which rules speak to an answer, and which of them comes first?

RE2 matches all patterns, in time linear to the answer's length: a remote server may write what it likes without slowing
us down. One RE2 set of all patterns would be one pass, but its automaton multiplies the states of patterns that have
nothing to do with each other, and an unseen wording has to build them. So one set looks for the plain words that the
patterns need, which has few states, and only patterns whose words are there are tried, first one first.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import Self

import re2

from service.classify.groups import GROUP_OF, Group
from service.classify.literals import branches, required_words
from service.classify.rulebook import Rule, RuleError, RuleSet
from service.classify.tidy import Tidied, tidy
from service.model.words import SmtpStage

_BEYOND_RE2 = re.compile(r"\(\?<?[=!]|\\[1-9]|\(\?P=|\(\?>")
_SMALL = 1 << 20  # bytes at most for what RE2 remembers of one pattern, and
_LARGE = 32 << 20  # of many
_MOST_SITUATIONS = 1024
_RARE = 4.0  # examples that hold a word of a set: looking for a second set costs more than a try now and then
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
        self._owners: list[Rule] = []  # of each branch of each pattern of each rule, in order
        self._branches: list[_Branch] = []
        for rule in ruleset.rules:
            found = [_Branch(part) for pattern in rule.patterns for part in branches(_checked(rule.file, rule.id, pattern))]
            self._branches += found
            self._owners += [rule] * len(found)
        self._words = WordIndex([branch.pattern for branch in self._branches], _commonness(ruleset.rules))
        self._last_resort = _mask(rule.is_last_resort for rule in self._owners)
        self._allowed = lru_cache(maxsize=_MOST_SITUATIONS)(self._counting)
        marks = [_checked("fingerprints", mark.vendor, mark.pattern) for mark in ruleset.fingerprints]
        self._fingerprints = _set_of(marks, memory=_LARGE)
        self._vendors = [mark.vendor for mark in ruleset.fingerprints]

    @classmethod
    @lru_cache(maxsize=1)
    def of(cls, ruleset: RuleSet) -> Self:
        """Compile a rule set once, for its trial and for its work."""
        return cls(ruleset)

    def vendor(self, tidied: Tidied) -> str | None:
        """Give the vendor whose words or addresses stand in an answer, whatever it means."""
        found = self._fingerprints.Match(tidied.whole.encode()) if self._vendors else None
        return self._vendors[min(found)] if found else None

    def winner(self, tidied: Tidied, stage: SmtpStage | None, vendor: str | None) -> Winner | None:
        """Give the first rule that counts here: words of an inner answer, words of the outer one, then codes."""
        allowed = self._allowed(stage, vendor)
        lines = [(line, words, self._words.candidates(words) & allowed) for line in tidied.lines for words in (line.encode(),)]
        for tier in (~self._last_resort, self._last_resort):
            for line, words, candidates in lines:
                for number in _numbers(candidates & tier):
                    if self._branches[number].test(words) is not None:
                        return Winner(self._owners[number], line, self._branches[number].evidence(words))
        return None

    def matches(self, line: str) -> Iterator[Winner]:
        """Give each rule that matches a line once, first one first."""
        words = line.encode()
        last: Rule | None = None
        for number in _numbers(self._words.candidates(words)):
            rule = self._owners[number]
            if rule is not last and self._branches[number].test(words) is not None:
                yield Winner(rule, line, self._branches[number].evidence(words))
                last = rule

    def is_proved(self, rule: Rule, pattern: str, line: str) -> bool:
        """Say whether this pattern of a rule matches a line by itself."""
        return pattern in rule.patterns and re2.search(pattern, line) is not None

    def _counting(self, stage: SmtpStage | None, vendor: str | None) -> int:
        return _mask(counts(rule, stage, vendor) for rule in self._owners)


class _Branch:
    """One pattern without a bar outside its brackets, compiled twice: one says quickly whether, the other says where."""

    __slots__ = ("_single", "pattern", "test")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._single = re2.compile(pattern, _options())
        self.test: Callable[[bytes], object] = _set_of([pattern]).Match  # anything but None: it matches

    def evidence(self, words: bytes) -> str:
        """Give the words that the pattern matched."""
        found = self._single.search(words)
        return words[found.start() : found.end()].decode().strip() if found else ""


class WordIndex:
    """The plain words that patterns need, in one set: which patterns can match a line at all?"""

    def __init__(self, patterns: Sequence[str], commonness: Counter[str]) -> None:
        self._count = len(patterns)
        self._always = 0
        owners: dict[str, int] = {}
        for number, pattern in enumerate(patterns):
            needs = _worthwhile(pattern, commonness)
            # A bit in each half: a pattern is a candidate where a word of its first set and one of its second set stands.
            for bit, need in zip((1 << number, 1 << self._count + number), needs, strict=True):
                if need is None:
                    self._always |= bit
                for word in need or ():
                    owners[word] = owners.get(word, 0) | bit
        self._owners = list(owners.values())
        self._set = _set_of(owners, literal=True, memory=_LARGE)

    def candidates(self, words: bytes) -> int:
        """Give a bit for each pattern whose words stand in the line."""
        found = self._set.Match(words) if self._owners else None
        both = reduce(or_, map(self._owners.__getitem__, found or ()), self._always)
        return both >> self._count & both


def _worthwhile(pattern: str, commonness: Counter[str]) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Give the one or two sets of words that a pattern needs and that are worth looking for."""

    def weigh(word: str) -> float:
        return _weight(word, commonness)

    needs = required_words(pattern, weigh)
    if not needs:
        return None, None
    is_rare = len(needs) == 1 or sum(map(weigh, needs[0])) <= _RARE
    return needs[0], None if is_rare else needs[1]


def _checked(file: str, name: str, pattern: str) -> str:
    """Give a pattern back, if RE2 can take it."""
    try:
        re2.compile(pattern, _options())
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        mend = "correct it"
        if _BEYOND_RE2.search(pattern):
            mend = "RE2 has no look-around and no back-references; write the pattern without them"
        raise RuleError(file, name, f"has the pattern `{pattern}`, which RE2 cannot take ({reason})", mend) from error
    return pattern


def _options(*, literal: bool = False, memory: int = _SMALL) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.literal = literal
    options.max_mem = memory
    return options


def _set_of(patterns: Iterable[str], *, literal: bool = False, memory: int = _SMALL) -> re2.Set:
    found: re2.Set = re2.Set.SearchSet(_options(literal=literal, memory=memory))
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found


def _commonness(rules: Iterable[Rule]) -> Counter[str]:
    """Count how often words, and their beginnings, stand in the rules' examples."""
    counted: Counter[str] = Counter()
    for rule in rules:
        for example in rule.examples:
            for word in tidy(example).whole.split():
                counted.update(word[:length] for length in range(3, len(word) + 1))
    return counted


def _weight(word: str, commonness: Counter[str]) -> float:
    """Guess how many examples hold some words: fewer than hold the rarest of them, and more the shorter it is."""
    parts = word.split()
    rarest = min((commonness[part] + 500.0 * 4.0 ** -len(part) for part in parts), default=500.0)
    return rarest * 0.4 ** (len(parts) - 1)


def _mask(flags: Iterable[bool]) -> int:
    return sum(1 << number for number, flag in enumerate(flags) if flag)


def _numbers(mask: int) -> Iterator[int]:
    """Give the numbers of the bits that are set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def counts(rule: Rule, stage: SmtpStage | None, vendor: str | None) -> bool:
    """Say whether a matching rule may decide: the right vendor, the right stage, and no recipient before RCPT TO."""
    if rule.only_from and vendor not in rule.only_from:
        return False
    if rule.stages and stage not in rule.stages:
        return False
    return stage not in BEFORE_RECIPIENT or GROUP_OF[rule.label] is not Group.RECIPIENT
