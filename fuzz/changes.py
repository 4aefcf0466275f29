"""How is a post changed so that it stays one: a value of its JSON, a field of its form, a line of its mail?

A fuzzer that changes bytes alone seldom gets past the first bracket. What stands in one sample is put into another, and what breaks
readers is put anywhere.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fuzz.posts import Post

_GARBAGE: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, -0.0, 2**63, 10**25, 1767600123, 1767600123456, "", " ", "\0", "\ud800", "a\nb", "x" * 600),
    *("<", "<a@b.example>", '"a b"@b.example', "ä@bücher.example", "a@b.example, c@d.example", "@", "A@B.EXAMPLE.", "a@[192.0.2.1]"),
    *("1767600123", "1767600123.5", "2026-01-05T10:00:00.1234567Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e400"),
    *("550 5.1.1 no", "smtp; 550-5.1.1 a 550 5.1.1 b", "5.0.0", "550", "99999999999", "mx.example (203.0.113.5)", "[2001:db8::1]:25"),
    *([], {}, [[]], [None], [{}], {"": ""}, {"a": {"b": []}}, ["a", 1, None], "{}", "[]", "{"),
)
_LINES = (
    *(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b1",
        "Content-Type: message/delivery-status",
        "--b1",
        "--b1--",
    ),
    *("Content-Type: message/feedback-report", "Content-Type: message/rfc822", "Content-Type: text/plain; charset=utf-16", ""),
    *("Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "Content-Transfer-Encoding: x-uuencode"),
    *("Final-Recipient: rfc822; a@b.example", "Original-Recipient: utf-8; \\x{e4}@b.example", "Action: failed", "Status: 5.0.0", " folded"),
    *(
        "Diagnostic-Code: smtp; 550-5.1.1 no",
        "X-Failed-Recipients: a@b.example, c@d.example",
        "Auto-Submitted: auto-replied",
        "Hi. This is",
    ),
    *(
        "Feedback-Type: abuse",
        "Original-Rcpt-To: <a@b.example>",
        "Date: Mon, 99 Jan 2026 25:00:00 +9999",
        "<a@b.example>:",
        "Subject: =?x?b?=?=",
    ),
)


def change(post: Post, chance: Random, others: Sequence[Post]) -> Post:
    """The post with one to four changes that leave its shape."""
    way = _way_of(post)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        post = way(post, chance, others)
    if chance.random() < 1 / 50:
        post = post._replace(content_type=chance.choice(others).content_type)
    return post


def _way_of(post: Post) -> Callable[[Post, Random, Sequence[Post]], Post]:
    if post.body.lstrip()[:1] in {b"{", b"["}:
        return _change_json
    if not post.body or "urlencoded" in post.content_type:
        return _change_form
    return _change_lines


def _change_json(post: Post, chance: Random, others: Sequence[Post]) -> Post:
    payload = _json_of(post.body)
    places = list(_places(payload))
    if not places:
        return _change_lines(post, chance, others)
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1:
            donors = list(_places(_json_of(chance.choice(others).body)))
            donor = chance.choice(donors) if donors else (holder, key)
            holder[key] = donor[0][donor[1]]
        case 2:
            _double(holder, key, chance)
        case _:
            holder[key] = chance.choice(_GARBAGE)
    return post._replace(body=_dumped(payload))


def _double(holder: Any, key: Any, chance: Random) -> None:
    """An array's element once more, a text inside itself, a value wrapped up."""
    value = holder[key]
    if isinstance(holder, list):
        holder.insert(key, value)
    elif isinstance(value, str):
        at = chance.randint(0, len(value))
        holder[key] = value[:at] + str(chance.choice(_GARBAGE)) + value[at:]
    else:
        holder[key] = [value]


def _change_form(post: Post, chance: Random, others: Sequence[Post]) -> Post:
    written = post.body.decode("latin-1") or post.query
    fields = parse_qsl(written, keep_blank_values=True)
    at = chance.randint(0, len(fields))
    name, value = fields[at] if at < len(fields) else chance.choice(fields or [("a", "b")])
    nested = _json_of(value.encode("utf-8", "replace")) if value[:1] in {"{", "["} else None
    if nested is not None:
        value = _change_json(Post("", "", value.encode()), chance, others).body.decode("utf-8", "replace")
    elif chance.random() < 2 / 3:
        value = str(chance.choice(_GARBAGE))
    fields[at : at + chance.randint(0, 1)] = [(name, value)] * chance.randint(0, 2)
    changed = urlencode([(name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")) for name, value in fields])
    return post._replace(body=changed.encode()) if post.body else post._replace(query=changed)


def _change_lines(post: Post, chance: Random, others: Sequence[Post]) -> Post:
    end = chance.choice((b"\r\n", b"\n"))
    lines = post.body.splitlines()
    donors = chance.choice(others).body.splitlines() or [b""]
    at = chance.randint(0, len(lines))
    start = chance.randrange(len(donors))
    match chance.randrange(5):
        case 0:
            del lines[at : at + chance.choice((1, 1, 3, 10))]
        case 1:
            lines[at:at] = donors[start : start + chance.choice((1, 3, 20))]
        case 2:
            lines[at:at] = lines[at : at + 5] * chance.choice((1, 1, 8))
        case 3:
            lines[at : at + 1] = [chance.choice(_LINES).encode()]
        case _:
            line = lines[at] if at < len(lines) else b""
            cut = chance.randint(0, len(line))
            lines[at : at + 1] = [line[:cut] + str(chance.choice(_GARBAGE)).encode("utf-8", "replace") + line[cut:]]
    return post._replace(body=end.join(lines))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds another."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append(holder[key])


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _dumped(payload: object) -> bytes:
    try:
        return json.dumps(payload).encode()
    except (ValueError, RecursionError):  # put into itself
        return b"[]"
