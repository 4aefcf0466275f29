"""Does looking for plain words first lose no match?"""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from service.classify.literals import branches, required_words
from service.classify.matching import Matcher
from service.classify.rulebook import RuleSet
from service.classify.tidy import tidy

_REQUIRED = {
    "plain words": ("user unknown", [{"user unknown"}]),
    "optional letter": ("mail ?box full", [{"mail box ful", "mailbox full"}]),
    "either": ("(?:no such|unknown) user", [{"no such user", "unknown user"}]),
    "either, and one needs nothing": ("(?:full|.*) box", [{"box"}]),
    "class": ("gr[ae]ylist", [{"graylist", "greylist"}]),
    "class of a span": ("code[1-3]", [{"code1", "code2", "code3"}]),
    "class of too many": ("code[a-z0-9_.,;:-]", [{"code"}]),
    "class of others": ("spam[^s]", [{"spam"}]),
    "two places": ("mailbox .* full", [{"mailbox"}, {"full"}]),
    "any number of times": ("(?:very )*full", [{"full"}]),
    "once or more": ("(?:very )+full", [{"full"}, {"very"}]),
    "counted": ("(?:very ){2,3}full", [{"full"}, {"very"}]),
    "counted, or not at all": ("(?:very ){0,3}full", [{"full"}]),
    "lazily": ("quota.*?over", [{"quota"}, {"over"}]),
    "edges of words": (r"\bspam\b", [{"spam"}]),
    "escaped sign": (r"a\.b\.c", [{"a.b.c"}]),
    "a word in another": ("(?:over quota|quota)", [{"quota"}]),
    "nothing": (".*", []),
    "everything is optional": ("(?:spam)?", []),
    "flags": ("(?i)SPAM", []),
    "class of a kind": ("spam[[:alpha:]]", []),
    "other escape": (r"spam\pL", []),
    "named group": ("(?P<word>spam)", []),
    "bracket that nothing closes": ("(spam", []),
}


@pytest.mark.parametrize(("pattern", "words"), _REQUIRED.values(), ids=_REQUIRED)
def test_words_that_a_pattern_needs_are_found(pattern: str, words: list[set[str]]) -> None:
    assert [set(found) for found in required_words(pattern, lambda word: 1 / len(word))] == words


_BRANCHES = {
    "none": ("spam", ["spam"]),
    "two": ("spam|junk", ["spam", "junk"]),
    "in brackets": ("(?:a|b)c|d", ["(?:a|b)c", "d"]),
    "in a class": ("[|)]a|b", ["[|)]a", "b"]),
    "escaped": (r"a\|b|\(c", [r"a\|b", r"\(c"]),
    "with flags": ("(?i)a|b", ["(?i)a|b"]),
    "quoted": (r"\Qa|b\E", [r"\Qa|b\E"]),
}


@pytest.mark.parametrize(("pattern", "cut"), _BRANCHES.values(), ids=_BRANCHES)
def test_pattern_is_cut_at_bars_outside_of_brackets(pattern: str, cut: list[str]) -> None:
    assert branches(pattern) == cut


@pytest.fixture(scope="module")
def one_by_one(ruleset: RuleSet) -> list[tuple[str, list[re2._Regexp]]]:
    return [(rule.id, [re2.compile(pattern) for pattern in rule.patterns]) for rule in ruleset.rules]


@pytest.fixture(scope="module")
def vocabulary(ruleset: RuleSet) -> list[str]:
    return sorted({word for rule in ruleset.rules for example in rule.examples for word in tidy(example).whole.split()})


@given(st.data())
def test_rules_that_match_are_those_that_match_one_by_one(
    ruleset: RuleSet, one_by_one: list[tuple[str, list[re2._Regexp]]], vocabulary: list[str], data: st.DataObject
) -> None:
    line = " ".join(data.draw(st.lists(st.sampled_from(vocabulary), max_size=25)))
    expected = [rule for rule, patterns in one_by_one if any(pattern.search(line) for pattern in patterns)]
    assert [match.rule.id for match in Matcher.of(ruleset).matches(line)] == expected


def test_examples_match_the_same_rules_one_by_one(ruleset: RuleSet, one_by_one: list[tuple[str, list[re2._Regexp]]]) -> None:
    matcher = Matcher.of(ruleset)
    for rule in ruleset.rules[::7]:
        line = tidy(rule.examples[0]).whole
        expected = [name for name, patterns in one_by_one if any(pattern.search(line) for pattern in patterns)]
        assert [match.rule.id for match in matcher.matches(line)] == expected
