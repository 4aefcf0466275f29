"""Which words of a server's answer are worth reading, once its wrappings are off?

A tidied line reads `550 5.1.1 text`: reply code, enhanced status code, then the text in lower case on one line, with `-`
for a code that is missing. Addresses become `<@>`, so that no local part or domain can pass for the server's words. What
differs from answer to answer, ids and times, becomes `#`, and an IPv4 address `0.0.0.0`, so that equal wordings are equal.
"""

import html
import quopri
import re
import unicodedata
from typing import NamedTuple

from service.model.words import SmtpStage

MAX_TEXT = 4096  # an answer longer than this is a page of HTML or an attack; its first lines say what it says
MAX_LINE = 1024
_SHORT = 20  # nothing shorter can quote another answer

# Latin letters lose their marks, because mail servers drop them as often as they write them; others stay as they are.
_MARKED = {
    "a": "àáâãäåāăą",
    "c": "çćč",
    "d": "ďđ",
    "e": "èéêëēęě",
    "g": "ğ",
    "i": "ìíîïīįı",
    "l": "łľ",
    "n": "ñńň",
    "o": "òóôõöøő",
    "r": "ŕř",
    "s": "śšşș",
    "t": "ťţț",
    "u": "ùúûüūůű",
    "y": "ýÿ",
    "z": "źżž",
    "": "\u0307",  # the dot that a Turkish capital I leaves
}
_PLAIN_LETTERS = str.maketrans(
    {
        **{letter: bare for bare, letters in _MARKED.items() for letter in letters},
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "«": '"',
        "»": '"',
        "–": "-",
        "—": "-",
        "\u00a0": " ",
    }
)
_ADDRESS = re.compile(r"<?[^<>()\[\]{}\"',;:|`@]*+@[^<>()\[\]{}\"',;:|`]*+>?")
_LONGEST_ADDRESS = 400  # RFC 5321, section 4.5.3.1: 64 + 1 + 255, and what stands around it

# An id has digits and letters by turns. It is looked for from its first digit on, because the search for one is fast. The
# answers 127.x.x.x of block lists say something and stay.
_VARIABLE = re.compile(
    r"\d(?=[\w.:-]{6})(?:(?<!\d.)(?!(?<=1)27\.)(\d{0,2}(?:\.\d{1,3}){3}(?![.\d]))"
    r"|\d{3}-\d\d-\d\d[t ]\d\d:\d\d[\d:.]*(?:z\b)?"
    r"|(?=[a-z\d]{7})\d*+(?:(?:[a-z]{1,4}|[a-f]{5,9})\d++)++[a-z]*+(?:[.-][a-z\d]*\d[a-z\d]*)*+"
    r"|\d{11,}+)"
)

_SOFT_BREAK = re.compile(r"=\r?\n")
_QUOTED_PAIR = re.compile(r"=(?:3D|0D|0A|C[2-9A-F]=[89AB][0-9A-F]|[DE][0-9A-F]=[89AB][0-9A-F])")
_PREFIX = re.compile(r"(?:(?:diagnostic-code: ?)?(?:smtp|unix|lmtp|dns|x-[a-z-]{1,20}) ?; ?|[a-z]{1,20}error: (?=[245]\d\d))")
_HEAD = re.compile(
    r"[^a-z0-9]{0,5}(?:([245]\d\d)(?=[^\w.]|$))?(?:', \[')?(?:[ :#(\-']{0,4}([245]\.\d{1,3}\.\d{1,3}(?![\d.])))?[ :)\-]{0,4}"
)
_STATUS = re.compile(r"(?<![\w.])[45]\.\d{1,3}\.\d{1,3}(?![.\d]*\d)")
# A second reply inside the first: what the server behind the gateway, or the last try before giving up, answered.
_INNER = re.compile(r"(?:[:>'\"(\]<-] ?| (?=[45]\d\d-'))([45]\d\d)(?:', \['|[ -]'?)(?=[#<\"'(\[]|[^\W\d]|[45]\.\d)")
_LATER_CODE = re.compile(r"[45]\d\d[' -]")  # most answers have none, and that is found out faster
_STAGE = re.compile(
    r"(?:in reply to|after|in response to|during|while sending) (?:the |pipelined )?"
    r"(end of data|rcpt to|mail from|data|ehlo|helo|initial connection)"
    r"|refused to talk to me|initial (?:server )?greeting|performing the [eh][he]lo handshake"
)
_IN_REPLY = re.compile(r" ?\((?:[^()]{0,40} )?in reply to [^()]*\)\W*$")
_STAGES = {
    "rcpt to": SmtpStage.RCPT,
    "mail from": SmtpStage.MAIL,
    "data": SmtpStage.DATA,
    "end of data": SmtpStage.DOT,
    "ehlo": SmtpStage.HELO,
    "helo": SmtpStage.HELO,
}
# What a mail server writes before it repeats another's answer; it is the messenger's and says nothing itself.
_MESSENGER = re.compile(
    r"(?:said|talk to me|responded|responded with|replied|returned|says|response|reply|transfail|unknown address error|problem"
    r"|\]|<<<|->)[: ]*['\"(]*$"
)


# What follows these words was said about the sender's address, or is only why a mail waited until it expired.
_NO_ANSWER = re.compile(r"message expired|sender address rejected|sender verif|verify (?:the )?sender|callback setup")
_WORD = re.compile(r"[^\W\d]{3}")


class Tidied(NamedTuple):
    """One answer without its wrappings; a tuple, because it is the key of the classifier's cache."""

    lines: tuple[str, ...]  # what rules read: a quoted inner answer first, then the gateway's own words
    whole: str
    stage: SmtpStage | None


def tidy(text: str, smtp_code: int | None = None, enhanced_status_code: str | None = None) -> Tidied:
    """Unwrap, fold, lower and cap an answer; never fails, whatever the text."""
    words = _one_line(text)
    code = str(smtp_code) if smtp_code else ""
    if not words[:1].isdigit():
        words = _without_prefix(words)
    stage = _stage_in(words)
    if stage is not None:
        words = _IN_REPLY.sub("", words)
    whole = _line(words, code, enhanced_status_code or "")
    start = -1 if len(words) < _SHORT else _inner_start(words)
    if start < 0:
        return Tidied((whole,), whole, stage)
    inner = _line(words[start:], "", "")
    if _MESSENGER.search(words[:start]) and _WORD.search(inner):
        return Tidied((inner,), whole, stage)
    return Tidied((inner, whole), whole, stage)


def _one_line(text: str) -> str:
    words = text[:MAX_TEXT]
    if "=" in words:
        words = _without_quoted_printable(words)
    words = words.lower()
    if not words.isascii():
        words = unicodedata.normalize("NFKC", words).lower().translate(_PLAIN_LETTERS)
    if "&" in words:
        words = html.unescape(words)
    if "\\" in words:
        words = words.replace("\\r", " ").replace("\\n", " ").replace('\\"', '"').replace("\\'", "'")
    words = words.strip()
    if "  " in words or not words.isprintable():
        words = " ".join(words.split())
        words = "".join(letter if letter.isprintable() else " " for letter in words)
    if "@" in words:
        words = _without_addresses(words)
    return _VARIABLE.sub(_common, words[:MAX_LINE])


def _common(found: re.Match[str]) -> str:
    return "0.0.0.0" if found[1] else "#"  # noqa: S104 - no socket is bound to it


def _without_quoted_printable(text: str) -> str:
    """Decode what is left of quoted-printable, but not the `=45` of a URL such as `ip=45.0.2.1`."""
    if _SOFT_BREAK.search(text) is None and _QUOTED_PAIR.search(text) is None:
        return text
    return quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _without_addresses(words: str) -> str:
    return " ".join(_masked(word) if "@" in word else word for word in words.split(" "))


def _masked(word: str) -> str:
    return _ADDRESS.sub("<@>", word) if len(word) <= _LONGEST_ADDRESS else "<@>"


def _without_prefix(words: str) -> str:
    found = _PREFIX.match(words)
    return words[found.end() :] if found else words


def _inner_start(words: str) -> int:
    """Give the place of the last reply about the recipient that this one quotes; -1 for none."""
    first = _LATER_CODE.search(words, 4)
    if first is None:
        return -1
    start = -1
    for found in _INNER.finditer(words, max(4, first.start() - 2)):
        if _NO_ANSWER.search(words, max(start, 0), found.start()):
            break
        start = found.start(1)
    return start


def _line(words: str, code: str, status: str) -> str:
    head = _HEAD.match(words)
    rest = words
    if head is not None and head.end():
        code, status = head[1] or code, head[2] or status
        rest = words[head.end() :] if head[1] or head[2] else words
        if head[1]:
            rest = _folded(rest, words, head[1], status)
    if not status:
        found = _STATUS.search(rest)
        status = found[0] if found else "-"
    return f"{code or '-'} {status} {rest}"


def _folded(rest: str, words: str, code: str, status: str) -> str:
    """Drop the codes that repeat at the head of each line of a multi-line reply."""
    if f"{code}-" not in words or code not in rest:
        return rest
    for head in (f" {code}-{status} ", f" {code} {status} ", f" {code}-", f" {code} "):
        rest = rest.replace(head, " ")
    return rest


def _stage_in(words: str) -> SmtpStage | None:
    # Nine answers in ten name no stage, and looking for plain words is five times as fast as the expression.
    if not (
        "reply to " in words
        or "response to " in words
        or "after " in words
        or "during " in words
        or "sending " in words
        or "talk to me" in words
        or "greeting" in words
        or "handshake" in words
    ):
        return None
    found = _STAGE.search(words)
    if found is None:
        return None
    return _STAGES.get(found[1] or "", SmtpStage.CONNECT)
