"""What does a mail server's answer give besides its words: code, enhanced code, and the command it answered?

An ESP's own field wins; only what it does not tell is read from the text. The text itself stays as it came.
"""

import re
from functools import lru_cache

from service.model.values import passing
from service.model.words import SmtpStage

MAX_DIAGNOSTIC = 4_096
_LOWEST_CODE, _HIGHEST_CODE = 200, 599
_SHORT = 32  # characters: most mail is taken with one of a few short answers; a longer one mostly names the mail, and comes once
_SHORT_KEPT = 1_024

# what most answers are: `550 5.1.1 …`
_PLAIN = re.compile(r"([2-5]\d\d)[ -]([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
# `smtp; 550 …`, `smtp;550-5.1.1 …`, `RecipientError: 550 …`, `(250 2.0.0 …`
_LEADING = re.compile(r"\s*(?:[A-Za-z][\w-]{0,39}[;:]\s*){0,2}\(?([2-5]\d\d)(?![\w.])")
# `host mx1 said: 550 …`, `sent (250 OK)`, `… error 550-'…'` of Cisco's gateways, or any code that an enhanced code follows
_EMBEDDED = re.compile(r"(?:[:;(<>\]]\s?|\bsaid\s)([245][0-5]\d)(?=[ -]\S)|(?<![\w.])([245][0-5]\d)(?=-'|[ -]#?\(?[245]\.\d{1,3}\.\d)")
_NEXT_ENHANCED = re.compile(r"[ -]{1,2}[#('\[]?([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
# subjects end at 7 (RFC 3463, section 3), which keeps most version numbers out
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-7]\.\d{1,3})(?!\.?\d)")
_ENHANCED_FIELD = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_STAGE = re.compile(
    r"\b(?:in reply to|in response to|reply to|response to|after|during|for(?=\s(?:mail from|rcpt to) command))"
    r"\s+(?:the\s+|pipelined\s+|sending\s+)*"
    r"(initial connection|connect|ehlo|helo|lhlo|mail from|rcpt to|end of (?:message|data)|data)\b"
)

_COMMAND = re.compile(
    r"(rcpt to|mail from|ehlo|helo|lhlo)\b.*|(rcpt|mail|data|dot|\.|end of data|end of message|connect|initial connection)", re.DOTALL
)

# The command, in an ESP's own field or in the text -> ours
_STAGES = {
    "connect": SmtpStage.CONNECT,
    "initial connection": SmtpStage.CONNECT,
    "ehlo": SmtpStage.HELO,
    "helo": SmtpStage.HELO,
    "lhlo": SmtpStage.HELO,
    "mail": SmtpStage.MAIL,
    "mail from": SmtpStage.MAIL,
    "rcpt": SmtpStage.RCPT,
    "rcpt to": SmtpStage.RCPT,
    "data": SmtpStage.DATA,
    "dot": SmtpStage.DOT,
    ".": SmtpStage.DOT,
    "end of data": SmtpStage.DOT,
    "end of message": SmtpStage.DOT,
}


@passing(frozen=True, slots=True)
class Reply:
    """A server's answer and what could be read from it."""

    diagnostic: str | None
    smtp_code: int | None
    enhanced_status_code: str | None
    smtp_stage: SmtpStage | None


NO_REPLY = Reply(None, None, None, None)


def read_reply(words: str | None, *, code: object = None, enhanced: object = None, stage: object = None) -> Reply:
    """The answer with its codes: the ESP's own fields where they hold some, else what the words say."""
    own_code = None if code is None else smtp_code_of(code)
    own_enhanced = None if enhanced is None else enhanced_code_of(enhanced)
    own_stage = None if stage is None else stage_of(stage)
    if not words:
        return Reply(None, own_code, own_enhanced, own_stage)
    words = words[:MAX_DIAGNOSTIC]
    if own_code is not None and (own_enhanced is not None or "." not in words):  # then the words have nothing to add but the stage
        return Reply(words, own_code, own_enhanced, own_stage or _stage_in(words))
    told = _told_once(words) if len(words) <= _SHORT else _told(words)
    if own_code is None and own_enhanced is None and own_stage is None:
        return told
    return Reply(words, own_code or told.smtp_code, own_enhanced or told.enhanced_status_code, own_stage or told.smtp_stage)


def smtp_code_of(value: object) -> int | None:
    """A reply code, 200-599, from an ESP's own field."""
    if isinstance(value, str) and len(value) == len("550") and value.isascii() and value.isdecimal():
        value = int(value)
    if type(value) is not int:  # nor bool, which is a kind of int
        return None
    return value if _LOWEST_CODE <= value <= _HIGHEST_CODE else None


def enhanced_code_of(value: object) -> str | None:
    """A `class.subject.detail` from an ESP's own field, without the words that may follow it."""
    found = _ENHANCED_FIELD.match(value) if isinstance(value, str) and "." in value else None
    return found[1] if found else None


def stage_of(value: object) -> SmtpStage | None:
    """The command that an ESP's own field names, as in `RCPT TO` or `.`."""
    if not isinstance(value, str):
        return None
    found = _COMMAND.fullmatch(value[:MAX_DIAGNOSTIC].strip().lower())
    return _STAGES[found[1] or found[2]] if found else None


def _told(words: str) -> Reply:
    return Reply(words, *_codes_in(words), _stage_in(words))


_told_once = lru_cache(maxsize=_SHORT_KEPT)(_told)


def _codes_in(words: str) -> tuple[int | None, str | None]:
    plain = _PLAIN.match(words)
    if plain and "last transfail:" not in words:
        return int(plain[1]), plain[2]
    # a time-out quotes the last real answer: `554 5.4.7 [internal] message timeout (last transfail: 451 4.7.1 …)`
    quoted = words.find("last transfail:")
    start = 0 if quoted < 0 else quoted + len("last transfail:")
    found = _LEADING.match(words, start) or _EMBEDDED.search(words, start)
    if not found:
        enhanced = _ENHANCED.search(words, start)
        return None, enhanced[1] if enhanced else None
    enhanced = _NEXT_ENHANCED.match(words, found.end()) or _ENHANCED.search(words, found.end()) or _ENHANCED.search(words)
    return int(found[found.lastindex or 1]), enhanced[1] if enhanced else None


def _stage_in(words: str) -> SmtpStage | None:
    lowered = words.lower()
    if " to " not in lowered and "after " not in lowered and "during " not in lowered:
        return None  # spares nearly every answer the search below
    found = _STAGE.search(lowered)
    return _STAGES[found[1]] if found else None
