"""Does each rule win its own examples, and leave to others what it must?"""

from collections.abc import Iterable

from service.classify.matching import Matcher, Winner
from service.classify.rulebook import Rule, RuleError, RuleSet
from service.classify.tidy import tidy


def try_rules(ruleset: RuleSet, rules: Iterable[Rule]) -> None:
    """Run the rules' examples through the whole set; raises RuleError for a dead, shadowed, idle or greedy rule."""
    matcher = Matcher.of(ruleset)
    for rule in rules:
        _try_examples(matcher, rule)
        for text in rule.not_examples:
            winner = _winner(matcher, rule, text)
            if winner is not None and winner.rule.id == rule.id:
                raise RuleError(rule.file, rule.id, f"takes `{text}`, which it must not, by `{winner.evidence}`", "narrow its pattern")


def _try_examples(matcher: Matcher, rule: Rule) -> None:
    idle = list(rule.patterns)
    for example in rule.examples:
        winner = _winner(matcher, rule, example)
        if winner is None or winner.rule.id != rule.id:
            raise _lost(matcher, rule, example, winner)
        idle = [pattern for pattern in idle if not matcher.is_proved(rule, pattern, winner.line)]
    if idle:
        raise RuleError(rule.file, rule.id, f"has the pattern `{idle[0]}` that no example needs", "give it an example, or drop it")


def _winner(matcher: Matcher, rule: Rule, text: str) -> Winner | None:
    """Read an example as if it came from where the rule counts."""
    tidied = tidy(text)
    stage = min(rule.stages) if rule.stages else tidied.stage
    vendor = min(rule.only_from) if rule.only_from else None
    return matcher.winner(tidied, stage, vendor)


def _lost(matcher: Matcher, rule: Rule, example: str, winner: Winner | None) -> RuleError:
    if winner is None or not any(matcher.is_proved(rule, pattern, winner.line) for pattern in rule.patterns):
        fault = f"is dead: it does not match its own example `{example}`"
        return RuleError(rule.file, rule.id, fault, "patterns see one tidied line: lower case, no accents, addresses as <@>")
    fault = f"is shadowed: its example `{example}` goes to rule `{winner.rule.id}` of {winner.rule.file}, by `{winner.evidence}`"
    return RuleError(rule.file, rule.id, fault, "narrow that rule, or move this one before it")
