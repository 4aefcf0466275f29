"""What does a body's JSON say, whatever else it holds?

This is the one place where text is made fit to be kept: PostgreSQL's text holds neither NUL nor lone surrogates, so no
string leaves here with one. The getters answer None, or something empty, where a field is absent or of another type, so
garbage in a field never raises.
"""

import json
import math
from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import TypeAlias

import orjson

from service.model.errors import UnreadableError

JsonObject: TypeAlias = Mapping[str, object]

EMPTY: JsonObject = MappingProxyType({})
MAX_TEXT = 512  # an index entry of PostgreSQL ends at 2,704 bytes, and a character has up to four
MAX_LISTED = 100  # tags or metadata entries of one event
_EXACT_DIGITS = 20  # longer whole numbers stay text


def load(body: bytes) -> object:
    """The body's JSON value; UnreadableError where it is none or nested too deep."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _load_leniently(body)
    holds_nul = b"\\" in body and b"\\u0000" in body  # one sign is found far faster than six, and most bodies have no backslash
    return _cleaned(value) if holds_nul else value


def load_object(body: bytes) -> JsonObject:
    """The JSON object that the body is."""
    value = load(body)
    if not isinstance(value, dict):
        raise UnreadableError(f"a JSON {_type_name(value)} where an object belongs")
    return value


def load_items(body: bytes) -> list[object]:
    """The elements of the JSON array that the body is; a bare object counts as an array of one."""
    value = load(body)
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise UnreadableError(f"a JSON {_type_name(value)} where an array or object belongs")
    return value


def clean_text(value: str) -> str:
    """The text without NUL and lone surrogates."""
    fit = value.replace("\0", "")
    return fit if fit.isascii() else fit.encode("utf-8", "ignore").decode()


def text(source: JsonObject, key: str, limit: int = MAX_TEXT) -> str | None:
    """A string, or a number as its digits; an empty string is as good as absent."""
    value = source.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        return value[:limit] or None
    if type(value) is int or type(value) is float:  # and not bool, which is a kind of int
        return str(value)
    return None


def flag(source: JsonObject, key: str) -> bool | None:
    """A JSON boolean."""
    value = source.get(key)
    return value if isinstance(value, bool) else None


def mapping(source: JsonObject, key: str) -> JsonObject:
    """An inner object; an empty one where there is none, so that calls can be nested."""
    value = source.get(key)
    return value if type(value) is dict else EMPTY


def items(source: JsonObject, key: str) -> list[object]:
    """An inner array; an empty one where there is none."""
    value = source.get(key)
    return value if isinstance(value, list) else []


def objects(source: JsonObject, key: str) -> list[JsonObject]:
    """The objects of an inner array; whatever else stands there is left out."""
    return [value for value in items(source, key) if isinstance(value, dict)]


def texts(source: JsonObject, key: str) -> tuple[str, ...] | None:
    """The strings of an inner array, or a bare string as the only one; None where there is none."""
    value = source.get(key)
    if not value:
        return None
    members = value if isinstance(value, list) else [value]
    return tuple([member[:MAX_TEXT] for member in members[:MAX_LISTED] if isinstance(member, str) and member]) or None


def text_map(source: JsonObject, without: Container[str] = ()) -> dict[str, str] | None:
    """The object with each value as text, an inner array or object as its JSON; None where nothing is left."""
    found: dict[str, str] = {}
    for key, value in source.items():
        if key in without:
            continue
        written = value if isinstance(value, str) else written_out(value)
        if written is not None:
            found[key[:MAX_TEXT]] = written[:MAX_TEXT]
            if len(found) == MAX_LISTED:
                break
    return found or None


def written_out(value: object) -> str | None:
    """A value as compact JSON; None for null and for what cannot be written."""
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested deeper than the writer goes
        return None


def _load_leniently(body: bytes) -> object:
    """One broken string or number must not cost a whole batch, and orjson takes no lone surrogate, bad UTF-8 or 1e400."""
    if not body or body.isspace():
        raise UnreadableError("the body is empty")
    try:
        value: object = json.loads(
            body.decode("utf-8-sig", "replace"), strict=False, parse_int=_whole, parse_float=_fraction, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not readable as JSON: {error}") from error
    return _cleaned(value)


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _EXACT_DIGITS else digits


def _fraction(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _not_a_number(_word: str) -> None:
    return None


def _cleaned(root: object) -> object:
    """The same value with every string made fit, in a loop because a depth of 1,024 would end Python's recursion."""
    holder: list[object] = [root]
    waiting: list[object] = [holder]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            _clean_object(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            node[:] = [clean_text(value) if isinstance(value, str) else value for value in node]
            waiting.extend(node)
    return holder[0]


def _clean_object(node: dict[str, object]) -> None:
    entries = [(clean_text(key), clean_text(value) if isinstance(value, str) else value) for key, value in node.items()]
    node.clear()
    node.update(entries)


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "value")
