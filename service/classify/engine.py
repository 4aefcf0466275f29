"""What does a server's answer say, and how far can it be believed?"""

from dataclasses import replace
from functools import lru_cache

from service.classify.details import blocklist_named, retry_after_seconds
from service.classify.doubt import NO_MISGIVING, Misgiving, doubt_stage, doubt_words, strongest
from service.classify.explanation import Explanation, explained
from service.classify.gateways import GatewayTable
from service.classify.groups import GROUP_OF, Group, usual_persistence
from service.classify.matching import BEFORE_RECIPIENT, Matcher, Winner
from service.classify.reply import Reply
from service.classify.rulebook import RuleSet
from service.classify.tidy import Tidied, tidy
from service.classify.witness import disagreement, label_by_esp
from service.model.events import Classification
from service.model.words import Doubt, Label, Persistence, SmtpStage

_CACHE_SIZE = 4096
_LONGEST_KEPT = 1024  # a longer answer is rare and costs memory: it is read each time
_LATER = frozenset({Label.RATE_LIMITED, Label.GREYLISTED, Label.SERVER_ERROR})


class Classifier:
    """A rule set at work; equal replies get equal answers, in any process."""

    def __init__(self, ruleset: RuleSet, gateways: GatewayTable | None = None) -> None:
        self.ruleset = ruleset
        self._gateways = gateways
        self._matcher = Matcher.of(ruleset)
        self._classified_once = lru_cache(maxsize=_CACHE_SIZE)(self._classified)
        self._read_once = lru_cache(maxsize=_CACHE_SIZE)(self._read)

    def __reduce__(self) -> tuple[type["Classifier"], tuple[RuleSet, GatewayTable | None]]:
        return Classifier, (self.ruleset, self._gateways)

    def classify(self, reply: Reply) -> Classification:
        """Label a reply; there is always a label, and `undetermined` is one."""
        return self._classified_once(reply) if len(reply.text) <= _LONGEST_KEPT else self._classified(reply)

    def _classified(self, reply: Reply) -> Classification:
        tidied = tidy(reply.text, reply.smtp_code, reply.enhanced_status_code)
        read = self._read_once(tidied, reply.stage or tidied.stage, self._vendor_of(reply.remote_host))
        if reply.esp_class is None and reply.esp_subclass is None and reply.reported_type is None:
            return read
        return _with_witness(read, reply)

    def forget(self) -> None:
        """Empty the caches of answers, as a benchmark wants."""
        self._classified_once.cache_clear()
        self._read_once.cache_clear()

    def explain(self, reply: Reply) -> Explanation:
        """Give every rule that matches, in order, the one that wins, and why."""
        tidied = tidy(reply.text, reply.smtp_code, reply.enhanced_status_code)
        stage = reply.stage or tidied.stage
        return explained(self._matcher, tidied, stage, self._speaker(tidied, reply.remote_host), self.classify(reply))

    def _vendor_of(self, remote_host: str | None) -> str | None:
        if self._gateways is None or not remote_host:
            return None
        found = self._gateways.find(remote_host)
        return found.vendor if found else None

    def _speaker(self, tidied: Tidied, remote_host: str | None) -> str | None:
        return self._matcher.vendor(tidied) or self._vendor_of(remote_host)

    def _read(self, tidied: Tidied, stage: SmtpStage | None, host_vendor: str | None) -> Classification:
        vendor = self._matcher.vendor(tidied) or host_vendor
        winner = self._matcher.winner(tidied, stage, vendor)
        if stage in BEFORE_RECIPIENT and (winner is None or winner.rule.is_last_resort) and self._names_recipient(tidied, vendor):
            return _as_staged(stage, vendor, _code_class(tidied))
        if winner is not None:
            return _as_won(winner, tidied, stage, vendor)
        return Classification(
            label=Label.UNDETERMINED,
            group=Group.NONE,
            persistence=usual_persistence(Label.UNDETERMINED, _code_class(tidied)),
            doubt=Doubt.NONE,
            rule="",
            vendor=vendor,
        )

    def _names_recipient(self, tidied: Tidied, vendor: str | None) -> bool:
        winner = self._matcher.winner(tidied, None, vendor)
        return winner is not None and GROUP_OF[winner.rule.label] is Group.RECIPIENT


def _as_won(winner: Winner, tidied: Tidied, stage: SmtpStage | None, vendor: str | None) -> Classification:
    rule, line = winner.rule, winner.line
    code_class = _code_class(tidied)
    speaker = rule.vendor or vendor
    # A 4xx is no hard bounce, whatever it says, so there is nothing to doubt.
    misgiving = NO_MISGIVING if code_class == "4" else _misgiving(winner, tidied.whole, stage, speaker)
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
        retry_after_seconds=retry_after_seconds(line) if code_class == "4" or rule.label in _LATER else None,
    )


def _misgiving(winner: Winner, whole: str, stage: SmtpStage | None, vendor: str | None) -> Misgiving:
    """Weigh the rule's own doubt, or the general rules where it has none, and the stage in both cases."""
    rule = winner.rule
    own = doubt_words(rule.label, winner.line, whole) if rule.doubt is None else Misgiving(rule.doubt, rule.doubt_reason or "")
    return strongest(found for found in (own, doubt_stage(rule.label, stage, vendor)) if found is not None)


def _as_staged(stage: SmtpStage | None, vendor: str | None, code_class: str) -> Classification:
    """Label what only recipient rules match, though no recipient had been named yet."""
    rule, label = ("stage.mail", Label.SENDER_REJECTED) if stage is SmtpStage.MAIL else ("stage.connect", Label.REPUTATION_BLOCK)
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
