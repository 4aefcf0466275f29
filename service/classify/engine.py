"""What does a server's answer say, and how far can it be believed?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from service.classify.details import blocklist_named, retry_after_seconds
from service.classify.doubt import Misgiving, doubt_stage, doubt_words, strongest
from service.classify.gateways import GatewayTable
from service.classify.groups import GROUP_OF, Group, usual_persistence
from service.classify.matching import Heard, Matcher, Winner, counts
from service.classify.reply import Reply
from service.classify.rulebook import Rule, RuleSet
from service.classify.tidy import Tidied, tidy
from service.classify.witness import disagreement, label_by_esp
from service.model.events import Classification
from service.model.words import Doubt, Label, Persistence, SmtpStage

_CACHE_SIZE = 4096
_STAGE_RULES = {
    # What is refused before RCPT TO names a recipient only by mistake.
    SmtpStage.CONNECT: ("stage.connect", Label.REPUTATION_BLOCK),
    SmtpStage.HELO: ("stage.connect", Label.REPUTATION_BLOCK),
    SmtpStage.MAIL: ("stage.mail", Label.SENDER_REJECTED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One rule that matched, for `explain`."""

    rule: str
    label: Label
    file: str
    evidence: str
    line: int  # 0 is the innermost answer
    why: str  # how it stands: wins, comes later, does not count here


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How an answer came by its label."""

    lines: tuple[str, ...]  # as the rules saw it, an inner answer first
    stage: SmtpStage | None
    matches: tuple[Match, ...]
    why: str
    classification: Classification


class Classifier:
    """A rule set at work; equal replies get equal answers, in any process."""

    def __init__(self, ruleset: RuleSet, gateways: GatewayTable | None = None) -> None:
        self.ruleset = ruleset
        self._gateways = gateways
        self._matcher = Matcher(ruleset)
        self._read_once = lru_cache(maxsize=_CACHE_SIZE)(self._read)

    def __reduce__(self) -> tuple[type["Classifier"], tuple[RuleSet, GatewayTable | None]]:
        return Classifier, (self.ruleset, self._gateways)

    def classify(self, reply: Reply) -> Classification:
        """Label a reply; there is always a label, and `undetermined` is one."""
        tidied = tidy(reply.text, reply.smtp_code, reply.enhanced_status_code)
        read = self._read_once(tidied, reply.stage or tidied.stage, self._vendor_of(reply.remote_host))
        if reply.esp_class is None and reply.esp_subclass is None and reply.reported_type is None:
            return read
        return _with_witness(read, reply)

    def explain(self, reply: Reply) -> Explanation:
        """Give every rule that matched, in order, the one that won, and why."""
        tidied = tidy(reply.text, reply.smtp_code, reply.enhanced_status_code)
        stage = reply.stage or tidied.stage
        heard = self._matcher.read(tidied)
        vendor = self._matcher.vendor(heard) or self._vendor_of(reply.remote_host)
        winner = self._matcher.winner(heard, stage, vendor)
        classification = self.classify(reply)
        return Explanation(
            lines=tidied.lines,
            stage=stage,
            matches=tuple(self._matches(heard, winner, stage, vendor)),
            why=_why(classification, winner, stage),
            classification=classification,
        )

    def _vendor_of(self, remote_host: str | None) -> str | None:
        if self._gateways is None or not remote_host:
            return None
        found = self._gateways.find(remote_host)
        return found.vendor if found else None

    def _read(self, tidied: Tidied, stage: SmtpStage | None, host_vendor: str | None) -> Classification:
        heard = self._matcher.read(tidied)
        vendor = self._matcher.vendor(heard) or host_vendor
        winner = self._matcher.winner(heard, stage, vendor)
        if winner is not None:
            return _as_won(winner, tidied, stage, vendor)
        if stage in _STAGE_RULES and self._matcher.winner(heard, None, vendor) is not None:
            return _as_staged(stage, vendor, _code_class(tidied))
        return Classification(
            label=Label.UNDETERMINED,
            group=Group.NONE,
            persistence=usual_persistence(Label.UNDETERMINED, _code_class(tidied)),
            doubt=Doubt.NONE,
            rule="",
            vendor=vendor,
        )

    def _matches(self, heard: tuple[Heard, ...], winner: Winner | None, stage: SmtpStage | None, vendor: str | None) -> Iterator[Match]:
        for number, line in enumerate(heard):
            for pattern, rule in self._matcher.rules_in(line):
                yield Match(
                    rule=rule.id,
                    label=rule.label,
                    file=rule.file,
                    evidence=self._matcher.evidence(pattern, line.line),
                    line=number,
                    why=_standing(rule, line, winner, stage, vendor),
                )


def _as_won(winner: Winner, tidied: Tidied, stage: SmtpStage | None, vendor: str | None) -> Classification:
    rule, line = winner.rule, winner.line
    code_class = _code_class(tidied)
    speaker = rule.vendor or vendor
    # A 4xx is no hard bounce, whatever it says, so there is nothing to doubt.
    misgiving = Misgiving(Doubt.NONE, "") if code_class == "4" else _misgiving(winner, tidied.whole, stage, speaker)
    return Classification(
        label=rule.label,
        group=GROUP_OF[rule.label],
        persistence=rule.persistence or usual_persistence(rule.label, code_class),
        doubt=misgiving.doubt,
        rule=rule.id,
        evidence=winner.evidence or None,
        vendor=speaker,
        doubt_reason=misgiving.reason or None,
        blocklist=blocklist_named(line) if rule.label is Label.REPUTATION_BLOCK else None,
        retry_after_seconds=retry_after_seconds(line),
    )


def _misgiving(winner: Winner, whole: str, stage: SmtpStage | None, vendor: str | None) -> Misgiving:
    """Weigh the rule's own doubt, or the general rules where it has none, and the stage in both cases."""
    rule = winner.rule
    own = doubt_words(rule.label, winner.line, whole) if rule.doubt is None else Misgiving(rule.doubt, rule.doubt_reason or "")
    return strongest(found for found in (own, doubt_stage(rule.label, stage, vendor)) if found is not None)


def _as_staged(stage: SmtpStage | None, vendor: str | None, code_class: str) -> Classification:
    rule, label = _STAGE_RULES[stage]
    return Classification(
        label=label,
        group=GROUP_OF[label],
        persistence=usual_persistence(label, code_class),
        doubt=Doubt.LIKELY,
        rule=rule,
        vendor=vendor,
        doubt_reason=f"the words speak of the recipient, but the server refused before it heard of one (at {stage})",
    )


def _with_witness(read: Classification, reply: Reply) -> Classification:
    """Put what the ESP thinks beside what the answer says; where the answer says nothing, the ESP decides."""
    esp_label = label_by_esp(reply.esp_class, reply.esp_subclass)
    if read.label is Label.UNDETERMINED and esp_label is not None:
        code_class = "4" if read.persistence is Persistence.TEMPORARY else ""
        read = replace(
            read, label=esp_label, group=GROUP_OF[esp_label], persistence=usual_persistence(esp_label, code_class), rule="esp.class"
        )
        esp_label = None
    esp_words = " / ".join(word for word in (reply.esp_class, reply.esp_subclass) if word)
    more = disagreement(read.label, esp_label, esp_words, reply.reported_type)
    if more is None:
        return read
    both = strongest((Misgiving(read.doubt, read.doubt_reason or ""), more))
    return replace(read, doubt=both.doubt, doubt_reason=both.reason)


def _code_class(tidied: Tidied) -> str:
    """Give "4" or "5": of the outer answer, because that ends the transaction; of an inner one only where it has none."""
    for line in (tidied.whole, *tidied.lines):
        code, status, _ = line.split(" ", 2)
        for digit in (code[0], status[0]):
            if digit in "45":
                return digit
    return ""


def _standing(rule: Rule, line: Heard, winner: Winner | None, stage: SmtpStage | None, vendor: str | None) -> str:
    if winner is not None and rule is winner.rule and line.line == winner.line:
        return "wins"
    if rule.only_from and vendor not in rule.only_from:
        return f"counts only from {', '.join(sorted(rule.only_from))}"
    if not counts(rule, stage, vendor):
        return f"does not count at stage {stage or 'unknown'}"
    if winner is not None and rule.is_last_resort and not winner.rule.is_last_resort:
        return "reads a code, and words go before codes"
    return "comes later"


def _why(classification: Classification, winner: Winner | None, stage: SmtpStage | None) -> str:
    if classification.rule == "esp.class":
        return "no rule matches, so the ESP's own class decides"
    if winner is not None:
        return f'rule {winner.rule.id} is the first that counts, by "{winner.evidence}" ({winner.rule.source})'
    if classification.rule:
        return f"the words speak of the recipient, but nothing refused at {stage} can"
    return "no rule matches"
