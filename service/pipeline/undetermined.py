"""Which wordings does no rule know, how frequent is each, and which pattern would know it?"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.classify.wording import wording
from service.schemas.masking import mask_text
from service.store.replies import UnknownReply

_WORDINGS_KEPT = 20_000
_EXAMPLE_LENGTH = 300
_MASKED = re.compile(r"\S?\*\*\*")
_CODES = re.compile(r"(?:[245]\d\d )?(?:[245]\.\d{1,3}\.\d{1,3} )?")
_NUMBER = re.compile(r"(?<![\w.#-])\d{1,3}(?![\w.-])")
_VARIES = r"\S+"
_WHOLE_LINE = r"^\S+ \S+ {}$"  # a tidied line begins with code and status, or a - for each
_TELLING_LETTERS = 12  # a pattern with fewer stands in half of all answers
_NO_TEXT = "(no text)"


@dataclass(slots=True, kw_only=True)
class UnknownWording:
    """Answers that are the same but for ids, addresses and numbers."""

    wording: str
    example: str  # one of them, without addresses
    first_us: int
    last_us: int
    count: int = 0
    sources: set[str] = field(default_factory=set)
    gateways: set[str] = field(default_factory=set)

    @property
    def pattern(self) -> str | None:
        """A rule's pattern that matches all of them, and a short one nothing else; None where there are no words to match."""
        words = _CODES.sub("", self.wording, count=1).strip()
        if words == _NO_TEXT or not re.search(r"[^\W\d_]", words):
            return None
        pattern = _VARIES.join(re.escape(part).replace(r"\ ", " ") for part in words.split("#"))
        is_telling = sum(map(str.isalpha, words)) >= _TELLING_LETTERS
        return pattern if is_telling else _WHOLE_LINE.format(pattern)


@dataclass(slots=True)
class UnknownWordings:
    """All wordings that no rule knows, the rarest left out where there are too many to keep."""

    kept: dict[str, UnknownWording] = field(default_factory=dict)
    replies: int = 0
    too_rare: int = 0  # replies whose wordings were left out

    def ranked(self, limit: int) -> list[UnknownWording]:
        """The most frequent; equal counts in alphabetical order."""
        return sorted(self.kept.values(), key=lambda item: (-item.count, item.wording))[:limit]


def group(replies: Iterable[UnknownReply], *, keep: int = _WORDINGS_KEPT) -> UnknownWordings:
    """Group answers by their wording, in bounded memory."""
    groups = UnknownWordings()
    for reply in replies:
        _add(groups, reply)
        if len(groups.kept) > keep:
            _forget_rarest(groups, keep // 2)
    return groups


def wording_of(diagnostic: str, recipient: str | None) -> str:
    """An answer with its codes and `#` for all that varies, the name of its recipient too."""
    if not diagnostic.strip():
        return ""
    words = wording(_MASKED.sub("#", mask_text(diagnostic, recipient)))
    codes = _CODES.match(words)
    start = codes.end() if codes else 0
    return words[:start] + _NUMBER.sub("#", words[start:])


def _add(groups: UnknownWordings, reply: UnknownReply) -> None:
    masked = mask_text(reply.diagnostic, reply.recipient)
    words = wording_of(reply.diagnostic, reply.recipient) or _without_text(reply)
    known = groups.kept.get(words)
    if known is None:
        known = groups.kept[words] = UnknownWording(
            wording=words, example=" ".join(masked.split())[:_EXAMPLE_LENGTH], first_us=reply.received_us, last_us=reply.received_us
        )
    groups.replies += 1
    known.count += 1
    known.first_us = min(known.first_us, reply.received_us)
    known.last_us = max(known.last_us, reply.received_us)
    known.sources.add(reply.source)
    if reply.gateway:
        known.gateways.add(reply.gateway)


def _without_text(reply: UnknownReply) -> str:
    codes = (str(reply.smtp_code or ""), reply.enhanced_status_code or "")
    return " ".join([*(code for code in codes if code), _NO_TEXT])


def _forget_rarest(groups: UnknownWordings, keep: int) -> None:
    kept = groups.ranked(keep)
    groups.too_rare += sum(item.count for item in groups.kept.values()) - sum(item.count for item in kept)
    groups.kept = {item.wording: item for item in kept}
