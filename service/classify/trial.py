"""Does each rule win its own examples, and leave to others what it must?"""

from collections.abc import Iterable

from service.classify.matching import Matcher, Winner
from service.classify.rulebook import Rule, RuleError, RuleSet
from service.classify.tidy import tidy


def try_rules(ruleset: RuleSet, rules: Iterable[Rule]) -> None:
    """Run the rules' examples through the whole set; raises RuleError for a dead, shadowed or greedy rule."""
    matcher = Matcher(ruleset)
    for rule in rules:
        _try_rule(matcher, rule)


def _try_rule(matcher: Matcher, rule: Rule) -> None:
    unproved = set(rule.patterns)
    for example in rule.examples:
        winner = _winner(matcher, rule, example)
        if winner is None or winner.rule is not rule:
            raise _lost(rule, example, winner)
        unproved -= matcher.patterns_of(rule, winner.line)
    if unproved:
        pattern = sorted(unproved)[0]
        raise RuleError(rule.file, rule.id, f"has the pattern `{pattern}` that no example needs", "give it an example, or drop it")
    for text in rule.not_examples:
        winner = _winner(matcher, rule, text)
        if winner is not None and winner.rule is rule:
            raise RuleError(rule.file, rule.id, f"takes `{text}`, which it must not", "narrow its pattern")


def _winner(matcher: Matcher, rule: Rule, text: str) -> Winner | None:
    """Read an example as if it came from where the rule counts."""
    tidied = tidy(text)
    stage = min(rule.stages) if rule.stages else tidied.stage
    return matcher.winner(matcher.read(tidied), stage, min(rule.only_from) if rule.only_from else None)


def _lost(rule: Rule, example: str, winner: Winner | None) -> RuleError:
    if winner is None:
        fault = f"is dead: it does not match its own example `{example}`"
        return RuleError(rule.file, rule.id, fault, "patterns see one tidied line: lower case, no accents, addresses as <@>")
    fault = f"is shadowed: its example `{example}` goes to rule `{winner.rule.id}` of {winner.rule.file}, by `{winner.evidence}`"
    return RuleError(rule.file, rule.id, fault, "narrow that rule, or move this one before it")
