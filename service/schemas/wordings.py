"""Which answers are the same wording, once what differs from mail to mail is taken out?"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from service.schemas.masking import mask_text

_LENGTH = 300
_MASKED = re.compile(r"<?[^\s<]?\*\*\*(?:@[\w.\[\]:-]*)?>?")
_REPLY_CODE = re.compile(r"^\s*(?:smtp;\s*)?[245]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?")
_LONG_WORD = re.compile(r"(?<![\w.-])(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[\w.-]{8,}")
_NUMBER = re.compile(r"\d+")
_SPACE = re.compile(r"\s+")


class Said(Protocol):
    """A server's answer to one mail."""

    @property
    def diagnostic(self) -> str: ...
    @property
    def recipient(self) -> str | None: ...
    @property
    def label(self) -> str | None: ...
    @property
    def vendor(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way in which servers put it, and how often they did."""

    wording: str
    label: str | None
    vendor: str | None
    count: int


def top_wordings(answers: Iterable[Said], limit: int) -> tuple[Wording, ...]:
    """The most frequent wordings; equal counts in alphabetical order."""
    counts = Counter((wording(answer.diagnostic, answer.recipient), answer.label, answer.vendor) for answer in answers)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or "", item[0][2] or ""))
    return tuple(Wording(wording=words, label=label, vendor=vendor, count=count) for (words, label, vendor), count in ranked[:limit])


def wording(diagnostic: str, recipient: str | None) -> str:
    """An answer with `<address>`, `<id>` and `#` for what differs; its reply codes stay."""
    text = _SPACE.sub(" ", mask_text(diagnostic, recipient)).strip()
    text = _MASKED.sub("<address>", text)
    head = _REPLY_CODE.match(text)
    codes = head.group() if head else ""
    rest = _LONG_WORD.sub("<id>", text[len(codes) :])
    return (codes + _NUMBER.sub("#", rest))[:_LENGTH]
