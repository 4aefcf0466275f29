"""Is a request a plain post, which needs none of HTTP's finer points, and how is its answer written?

Nearly all webhooks are. What is written in any other way (chunked, compressed, a header twice, a sign that is out of the
ordinary) is no plain post: nothing is refused here, gunicorn's parser reads it and decides.
"""

import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from gunicorn import SERVER  # type: ignore[import-untyped]  # it ships no types

from service.web.answers import Answer
from service.web.problems import status_line

MAX_BODY_BYTES = 32_768  # verifying a larger one, or what only looks like one, takes long enough to be worth a thread
_MAX_HEAD_BYTES = 8_190
_MAX_LINE_BYTES = 4_094  # as in gunicorn.conf.py
_MAX_FIELDS = 60
_MAX_DIGITS = 9
_START = "POST /"
_ENDS = {
    " HTTP/1.1": "keep-alive",
    " HTTP/1.0": "close",
}  # how a request line ends -> what a sender wants that does not say it; all equally long
_END_LENGTH = len(" HTTP/1.1")
_FINER = frozenset({"content-encoding", "expect", "http2-settings", "te", "trailer", "transfer-encoding", "upgrade"})
_CONNECTION = {"close": False, "keep-alive": True}  # what a sender wants -> is the connection kept?
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")  # with an underscore it could pass for another one
_NAMES_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class PlainHead:
    """The head of a plain post."""

    path: str
    query: str
    headers: dict[str, str]  # by their names in lower case
    body_bytes: int
    is_kept: bool  # the sender keeps the connection for its next request


def read_plain_head(head: bytes) -> PlainHead | None:
    """What a head says, from the request line up to the empty line; None where it is not that of a plain post."""
    if len(head) > _MAX_HEAD_BYTES:
        return None
    line, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    if len(line) > _MAX_LINE_BYTES:
        return None
    target, unsaid = line[len(_START) - 1 : -_END_LENGTH], _ENDS.get(line[-_END_LENGTH:])
    if not (line.startswith(_START) and unsaid and target.isascii() and target.isprintable()):
        return None
    headers = _headers(fields)
    if headers is None or " " in target or "#" in target:
        return None
    length, connection = headers.pop("content-length", ""), headers.pop("connection", unsaid).lower()
    if "host" not in headers or connection not in _CONNECTION or not (length.isascii() and length.isdigit() and len(length) <= _MAX_DIGITS):
        return None
    headers.setdefault("content-type", "")
    path, _, query = target.partition("?")
    return PlainHead(path, query, headers, int(length), _CONNECTION[connection])


def _headers(fields: list[str]) -> dict[str, str] | None:
    """Values by name; None where a name or value is out of the ordinary, or comes twice."""
    if len(fields) > _MAX_FIELDS:
        return None
    headers: dict[str, str] = {}
    for field in fields:
        written, colon, value = field.partition(":")
        name, value = _plain_name(written), value.strip(" \t")
        if not (colon and name and value.isprintable()) or name in headers:
            return None
        headers[name] = value
    return headers


@lru_cache(maxsize=_NAMES_KEPT)
def _plain_name(written: str) -> str:
    """A header's name in lower case; '' where it is none or stands for a finer point."""
    name = written.lower()
    return name if _NAME_SIGNS.issuperset(name) and name not in _FINER else ""


def write_answer(answer: Answer, *, is_kept: bool) -> bytes:
    """The answer as it goes over the wire."""
    body = answer.body.encode()
    fields = {
        "Server": SERVER,
        "Date": _date(int(time.time())),
        "Connection": "keep-alive" if is_kept else "close",
        **({"Content-Type": answer.content_type} if answer.content_type else {}),
        "Content-Length": str(len(body)),
        **answer.headers,
    }
    head = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    return f"HTTP/1.1 {status_line(answer.status)}\r\n{head}\r\n".encode("latin-1") + body


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
