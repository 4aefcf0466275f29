"""Can this answer also be given to a mailbox that lives, and why?

A rule may say so itself. Else the general rules here do: words and codes that point at the recipient while the sense
points elsewhere, a stage at which the recipient was not known, an ESP that reads the same answer otherwise.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.classify.groups import GROUP_OF, Group
from service.model.words import Doubt, Label, SmtpStage

_BLOCK_LIKE = frozenset({Group.BLOCK, Group.THROTTLE})
# x.1.7 and x.1.8 speak of the sender's address; all other x.1 codes, and "mailbox" with or without "disabled", do not.
_RECIPIENT_CODE = re.compile(r"5\.1\.(?!7$|8$)\d+|5\.2\.[01]|5\.4\.1")
_NOT_RECIPIENT_CODE = re.compile(r"5\.7\.[01]|5\.4\.1")
_RECIPIENT_WORDS = (
    "recipient address rejected",
    "mailbox unavailable",
    "user unknown",
    "unknown user",
    "no such user",
    "invalid recipient",
)
_NOT_THERE = frozenset({Label.INVALID_RECIPIENT, Label.INVALID_DOMAIN})
# A refusal that says only that somebody is not there has none of these words.
_BLOCK_WORD = re.compile(
    r"\b(?:block(?:ed|ing|s)?|black-?list\w*|polic(?:y|ies)|spam\w*|reputation|permitted|licen[cs]e\w*|exceed\w*|limits?|sender|virus|abuse"
    r"|not allowed (?:to|for|from|by))\b"
)
_CALL_FORWARD = ("undeliverable address: host", "unverified address: host", "call forward", "callout", "callback")
# They check the recipient after DATA as a matter of course; elsewhere a server that took RCPT knew the mailbox.
_LATE_CHECKERS = frozenset({"proofpoint_enterprise", "yahoo", "microsoft_365", "microsoft_consumer", "google", "amazon_ses"})
_AFTER_RECIPIENT = frozenset({SmtpStage.DATA, SmtpStage.DOT})
_LEVEL = {Doubt.NONE: 0, Doubt.POSSIBLE: 1, Doubt.LIKELY: 2}


@dataclass(frozen=True, slots=True)
class Misgiving:
    """One reason not to take an answer at its word."""

    doubt: Doubt
    reason: str


NO_MISGIVING = Misgiving(Doubt.NONE, "")


def strongest(misgivings: Iterable[Misgiving]) -> Misgiving:
    """Put misgivings together: the strongest doubt, and every reason for any."""
    real = [found for found in misgivings if found.doubt is not Doubt.NONE]
    if not real:
        return NO_MISGIVING
    return Misgiving(max((found.doubt for found in real), key=_LEVEL.__getitem__), "; ".join(found.reason for found in real))


def doubt_words(label: Label, line: str, whole: str) -> Misgiving | None:
    """Weigh what code and words of the deciding line, and the frame around it, say about the label."""
    if label not in _NOT_THERE and GROUP_OF[label] not in _BLOCK_LIKE:
        return None
    _, status, words = line.split(" ", 2)
    if label in _NOT_THERE:
        return _not_there_by_policy(words) or (_recipient_by_policy(status, whole) if label is Label.INVALID_RECIPIENT else None)
    if label is Label.SENDER_REJECTED:
        return _recipient_framed(words, _RECIPIENT_WORDS[:1])
    for code in (status, whole.split(" ", 2)[1]):
        if _RECIPIENT_CODE.fullmatch(code):
            return Misgiving(Doubt.LIKELY, f"the code {code} speaks of the recipient, the words do not")
    return _recipient_framed(words, _RECIPIENT_WORDS)


def _recipient_framed(words: str, phrases: Iterable[str]) -> Misgiving | None:
    found = next((phrase for phrase in phrases if phrase in words), None)
    if found is not None:
        return Misgiving(Doubt.LIKELY, f'"{found}" is only the frame: the rest says why')
    return None


def _not_there_by_policy(words: str) -> Misgiving | None:
    found = _BLOCK_WORD.search(words)
    return Misgiving(Doubt.POSSIBLE, f'"{found[0]}" stands beside it: the refusal may be about the mail') if found else None


def _recipient_by_policy(status: str, whole: str) -> Misgiving | None:
    if _NOT_RECIPIENT_CODE.fullmatch(status):
        return Misgiving(Doubt.POSSIBLE, f"the words speak of the recipient, the code {status} of a policy")
    if any(phrase in whole for phrase in _CALL_FORWARD):
        return Misgiving(Doubt.POSSIBLE, "a gateway repeats what another server said to its own probe")
    return None


def doubt_stage(label: Label, stage: SmtpStage | None, vendor: str | None) -> Misgiving | None:
    """Weigh the command that was refused: who took RCPT TO and refuses the recipient later knew the mailbox."""
    if label is Label.INVALID_RECIPIENT and stage in _AFTER_RECIPIENT and vendor not in _LATE_CHECKERS:
        return Misgiving(Doubt.POSSIBLE, "the recipient was accepted first and refused after DATA")
    return None
