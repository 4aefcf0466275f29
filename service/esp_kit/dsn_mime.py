"""Which parts does a raw mail have, however broken its MIME is, at a cost that its sender cannot raise?

The email package reads headers, parameters and transfer encodings. It does not get the structure: nested boundaries and status groups
would cost it a time that grows with their depth, and what it cannot decode it loses.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from html import unescape

from service.esp_kit.jsontext import MAX_TEXT, clean_text
from service.model.errors import UnreadableError

_MAX_BYTES = 1_000_000
_MAX_HEAD = 100_000
_MAX_DEPTH = 8
_MAX_PARTS = 60
_MAX_HEADERS = 300
_MAX_HEADER = 4_000
_MAX_BOUNDARY = 200
_CHARSETS = re.compile(  # some of Python's codecs are slow, or warn, or are no charsets
    r"utf-?(?:8|16(?:-?[lb]e)?)|(?:us-)?ascii|iso-?8859-?\d{1,2}|(?:windows-|cp)\d{3,4}|koi8-[ru]|gb(?:2312|k|18030)|big5|shift_jis"
    r"|euc-(?:jp|kr)|iso-2022-jp|latin-?1"
)
_UNDECLARED = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})  # said of whatever is no UTF-8, too
_LINE_BREAK_TAG = re.compile(r"<(?:br|/p|/div|/tr|/li)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][a-zA-Z0-9-]{0,15}(?:\s[^<>]{0,1000})?/?>")  # not an address in angle brackets
_BLANK_LINE = re.compile(rb"(?:\A|\n)[ \t]*\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]*")

Headers = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part that is not divided further, an attached mail among them; its transfer encoding undone."""

    content_type: str
    charset: str = "utf-8"
    body: bytes

    @property
    def text(self) -> str:
        """The body's text with newlines, HTML without its tags."""
        charset = self.charset if _CHARSETS.fullmatch(self.charset) else "utf-8"
        decoded = clean_text(_decode(self.body, charset)).replace("\r\n", "\n")
        return unescape(_TAG.sub(" ", _LINE_BREAK_TAG.sub("\n", decoded))) if self.content_type == "text/html" else decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail taken apart: its headers by lower-case name, unfolded, and its parts in order."""

    headers: Headers
    report_type: str = ""
    parts: tuple[Part, ...] = field(default=())

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return first(self.headers, name)

    def parts_of(self, *content_types: str) -> list[Part]:
        """The parts of these types."""
        return [part for part in self.parts if part.content_type in content_types]


def read_mail(body: bytes, content_type: str) -> Mail:
    """The mail that was posted raw, or as a file of a form; UnreadableError where there is none."""
    raw = body[:_MAX_BYTES]
    if content_type.lower().startswith("multipart/form-data"):
        raw = _file_in(raw, content_type)
    raw = raw.lstrip(b"\r\n \t")
    top = _open(raw)
    headers = headers_of(top)
    if not headers:
        raise UnreadableError("the body is no mail: it has no headers")
    parts = tuple(_leaves(top, depth=0))[:_MAX_PARTS]
    return Mail(headers=headers, report_type=_parameter(top, "report-type").lower(), parts=parts)


def read_headers(raw: bytes) -> Headers:
    """The headers that a mail or a part of it begins with."""
    return headers_of(_open(raw[:_MAX_BYTES].lstrip(b"\r\n \t")))


def headers_of(message: Message) -> Headers:
    """Each header's values; what is no ASCII is taken as UTF-8, or as Western European where it is none."""
    found: dict[str, list[str]] = {}
    for name, value in list(message.raw_items())[:_MAX_HEADERS]:
        written = str(value)[:_MAX_HEADER].encode("ascii", "surrogateescape")
        found.setdefault(str(name).lower(), []).append(clean_text(_FOLD.sub(" ", _decode_undeclared(written))).strip())
    return {name: tuple(values) for name, values in found.items()}


def first(headers: Headers, name: str) -> str | None:
    """The first header of this name that is not empty."""
    return next((value for value in headers.get(name, ()) if value), None)


def decoded_words(value: str | None) -> str | None:
    """A header's text with its encoded words read (RFC 2047); as it stands where they cannot be."""
    if not value or "=?" not in value:
        return value[:MAX_TEXT] if value else None
    try:
        return clean_text(str(make_header(decode_header(value[: 4 * MAX_TEXT]))))[:MAX_TEXT] or None
    except (MessageError, ValueError, LookupError):
        return value[:MAX_TEXT]


def _open(raw: bytes) -> Message:
    """The headers read and the rest left as one piece; what stands among the headers and is none begins the rest."""
    gap = _BLANK_LINE.search(raw)
    head, rest = (raw, b"") if gap is None else (raw[: gap.start()], raw[gap.end() :])
    message = BytesParser(policy=compat32).parsebytes(head[:_MAX_HEAD], headersonly=True)
    strayed = message.get_payload()
    message.set_payload((f"{strayed}\n\n" if strayed else "") + rest.decode("ascii", "surrogateescape"))
    return message


def _leaves(message: Message, *, depth: int) -> Iterator[Part]:
    content_type = _content_type(message)
    boundary = _parameter(message, "boundary")
    body = _body(message)
    if content_type.startswith("multipart/") and boundary and depth < _MAX_DEPTH:
        pieces = _pieces(body, boundary)
        if pieces:
            for piece in pieces:
                yield from _leaves(_open(piece), depth=depth + 1)
            return
    yield Part(content_type=content_type, charset=_parameter(message, "charset").lower() or "utf-8", body=body)


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """What stands between the lines that begin with the boundary; a missing last one is forgiven."""
    marker = re.escape(boundary[:_MAX_BOUNDARY].encode("utf-8", "replace"))
    found = re.split(rb"(?m)^--" + marker + rb"(?:--)?[ \t]*\r?$\n?", body, maxsplit=_MAX_PARTS)
    return [piece for piece in found[1:] if piece.strip()]


def _content_type(message: Message) -> str:
    """In lower case; text/plain where it is missing or broken. The attached mail of a report may be called either way."""
    written = first(headers_of(message), "content-type") or ""
    return written.partition(";")[0].strip().lower() or "text/plain"


def _parameter(message: Message, name: str) -> str:
    """A parameter of the content type; '' where it is missing or broken."""
    carrier = Message()
    carrier["content-type"] = (first(headers_of(message), "content-type") or "")[:1_000].replace("\r", " ")
    value = carrier.get_param(name)
    found = value[2] if isinstance(value, tuple) else value or ""
    return clean_text(found).strip()


def _body(message: Message) -> bytes:
    payload: object = None
    with suppress(ValueError):  # some versions of Python raise it for broken uuencoding
        payload = message.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _decode(body: bytes, charset: str) -> str:
    if charset in _UNDECLARED:
        return "".join([_decode_undeclared(line) for line in body.splitlines(keepends=True)])
    try:
        return body.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def _decode_undeclared(written: bytes) -> str:
    """Old systems write their own charset and do not say so; UTF-8 is hardly ever taken for it by mistake."""
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("cp1252", "replace")


def _file_in(body: bytes, content_type: str) -> bytes:
    """The largest field of a form: that is the mail."""
    carrier = _open(b"Content-Type: " + content_type.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n\n")
    boundary = _parameter(carrier, "boundary")
    fields = [_body(_open(piece)) for piece in _pieces(body, boundary)] if boundary else []
    if not fields:
        raise UnreadableError("the form holds no mail")
    return max(fields, key=len)
