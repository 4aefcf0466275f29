"""Are the rule files sound, and are faulty ones refused with their place?"""

import pytest

from service.classify.groups import GROUP_OF
from service.classify.rulebook import RuleError, RuleSet
from service.classify.rules import load_rules
from service.model.errors import DataFileError
from service.model.words import Label

_RULE = """
source = "a test"

[[rule]]
id = "acme.full"
pattern = 'box is full'
label = "mailbox_full"
examples = ["552 5.2.2 The box is full"]
"""


def test_shipped_rules_win_their_own_examples(ruleset: RuleSet) -> None:
    """Loading tries every example and every counter-example, so a set that loads is a set that keeps its word."""
    assert len(ruleset.rules) > 200


def test_each_label_has_a_rule(ruleset: RuleSet) -> None:
    assert {rule.label for rule in ruleset.rules} == set(Label)


def test_each_rule_says_who_says_so(ruleset: RuleSet) -> None:
    assert [rule.id for rule in ruleset.rules if not rule.source] == []


def test_each_rule_names_an_answer_that_it_leaves_to_others(ruleset: RuleSet) -> None:
    assert [rule.id for rule in ruleset.rules if not rule.not_examples] == []


def test_each_rule_with_doubt_says_why(ruleset: RuleSet) -> None:
    assert [rule.id for rule in ruleset.rules if rule.doubt not in (None, "none") and not rule.doubt_reason] == []


def test_examples_name_nobody(ruleset: RuleSet) -> None:
    texts = [text for rule in ruleset.rules for text in (*rule.examples, *rule.not_examples)]
    domains = {word.partition("@")[2].rstrip(">:;,.()").partition(":")[0] for text in texts for word in text.split() if "@" in word}
    assert {domain for domain in domains if domain} <= {"example.com", "example.net"}


def test_each_label_has_one_group() -> None:
    assert set(GROUP_OF) == set(Label)


def test_version_changes_with_any_text() -> None:
    before = load_rules({"a.toml": _RULE}).version
    assert load_rules({"a.toml": _RULE.replace("a test", "another test")}).version != before
    assert load_rules({"a.toml": _RULE}).version == before


def test_version_changes_with_own_rules() -> None:
    own = {"own.toml": _RULE.replace("acme.full", "own.full")}
    assert load_rules({"a.toml": _RULE}, own=own).version != load_rules({"a.toml": _RULE}).version


def test_files_are_consulted_by_name() -> None:
    files = {"b.toml": _RULE, "a.toml": _RULE.replace("acme.full", "first").replace("box is full", "other")}
    assert [rule.id for rule in load_rules(files).rules] == ["first", "acme.full"]


def test_own_rule_may_take_what_a_shipped_one_wins() -> None:
    own = {"own.toml": _RULE.replace("acme.full", "own.full").replace("mailbox_full", "policy_block")}
    assert [rule.id for rule in load_rules({"a.toml": _RULE}, own=own).rules] == ["own.full", "acme.full"]


def test_own_rule_must_win_its_own_example() -> None:
    own = {"own.toml": _RULE.replace("acme.full", "own.full").replace("'box is full'", "'never said'")}
    with pytest.raises(RuleError, match=r"own\.toml, rule `own\.full` is dead: it does not match its own example"):
        load_rules({"a.toml": _RULE}, own=own)


def test_file_level_vendor_stands_in_and_can_be_taken_back() -> None:
    rules = load_rules({"a.toml": 'vendor = "acme"\n' + _RULE, "b.toml": 'vendor = "acme"\n' + _OTHER}).rules
    assert [rule.vendor for rule in rules] == ["acme", None]


_OTHER = """
[[rule]]
id = "acme.moved"
source = "a test"
pattern = ['went away', 'moved out']
label = "recipient_moved"
vendor = ""
examples = ["551 Jo went away", "551 Jo moved out"]
"""

_FAULTS = {
    "not TOML": ("rule = [", "is not TOML"),
    "unknown top key": ("rules = []", "unknown key `rules`"),
    "rule is no array": ("rule = 1", "not an array of tables"),
    "rule is no table": ("rule = [1]", "is not a table"),
    "no id": (_RULE.replace('id = "acme.full"', ""), "number 1` has no id"),
    "unknown key": (_RULE + "colour = 'red'", "unknown key `colour`"),
    "no label": (_RULE.replace('label = "mailbox_full"', ""), "has no label"),
    "unknown label": (_RULE.replace("mailbox_full", "mailbox_broken"), "unknown label .* use one of invalid_recipient"),
    "mistyped label": (_RULE.replace("mailbox_full", "mailbox_ful"), r"`mailbox_ful` \(did you mean mailbox_full\?\)"),
    "unknown doubt": (_RULE + 'doubt = "some"', "unknown doubt"),
    "unknown stage": (_RULE + 'stages = ["lunch"]', "unknown stages"),
    "unknown persistence": (_RULE + 'persistence = "long"', "unknown persistence"),
    "two labels": (_RULE.replace('"mailbox_full"', '["mailbox_full", "expired"]'), "several values for `label`"),
    "no source": (_RULE.replace('source = "a test"', ""), "has no source"),
    "no pattern": (_RULE.replace("pattern = 'box is full'", ""), "has no pattern"),
    "empty pattern": (_RULE.replace("'box is full'", "''"), "has no pattern"),
    "no example": (_RULE.replace('["552 5.2.2 The box is full"]', "[]"), "has no examples"),
    "number for text": (_RULE + "vendor = 1", "`vendor` that is no text"),
    "number in list": (_RULE.replace('["552 5.2.2 The box is full"]', "[552]"), "`examples` that is no text or list"),
    "look-ahead": (_RULE.replace("'box is full'", "'box is (?=full)'"), "no look-around"),
    "open bracket": (_RULE.replace("'box is full'", "'box is (full'"), r"cannot take \(missing \): .*; correct it"),
    "dead": (_RULE.replace("'box is full'", "'Box Is Full'"), "is dead: .* lower case"),
    "idle pattern": (_RULE.replace("'box is full'", "['box is full', 'never said']"), "pattern `never said` that no example needs"),
    "greedy": (_RULE + 'not_examples = ["550 My box is full of spam"]', "which it must not"),
    "twin": (_RULE + _RULE.partition('source = "a test"')[2], "has the id of a rule in a.toml"),
    "shadowed": (_RULE + _RULE.partition('source = "a test"')[2].replace("acme.full", "acme.late"), "goes to rule `acme.full`"),
    "fingerprint without vendor": ("[[fingerprint]]\npattern = 'x'", "fingerprint 1` has no vendor"),
    "fingerprint with an unknown key": ("[[fingerprint]]\npattern = 'x'\nvendor = 'acme'\nlabel = 'expired'", "unknown key `label`"),
    "fingerprint that RE2 cannot take": ("[[fingerprint]]\npattern = '('\nvendor = 'acme'", "which RE2 cannot take"),
}


@pytest.mark.parametrize(("text", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_faulty_file_is_refused_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(DataFileError, match=fault) as caught:
        load_rules({"a.toml": text})
    assert str(caught.value).startswith(("a.toml", "fingerprints"))
    assert "; " in str(caught.value), "the error says the mend"
