"""How is a place in a list handed out as an opaque cursor, and how is one that comes back believed?

A cursor holds no secret and gives no right; it only has to be ours in form, and of the same question.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping

from service.store.reading.paging import Position

_INT_MAX = 2**63
_ID_LENGTH = 32


class CursorError(ValueError):
    """The cursor is not one of ours, or of another question."""


def encode_cursor(position: Position | None, question: Mapping[str, object]) -> str | None:
    """The cursor after this position, for the same question."""
    if position is None:
        return None
    text = json.dumps([_fingerprint(question), position.at, position.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, question: Mapping[str, object], id_type: type[int | str]) -> Position | None:
    """The position that a cursor stands for; raises CursorError."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise CursorError from error
    match parts:
        case [str(fingerprint), int(at), (int() | str()) as row_id] if fingerprint == _fingerprint(question):
            return _checked(at, row_id, id_type)
        case _:
            raise CursorError


def _checked(at: int, row_id: int | str, id_type: type[int | str]) -> Position:
    fits = len(row_id) <= _ID_LENGTH and row_id.isprintable() if isinstance(row_id, str) else abs(row_id) < _INT_MAX
    if type(row_id) is not id_type or not fits or isinstance(at, bool) or abs(at) >= _INT_MAX:
        raise CursorError
    return Position(at, row_id)


def _fingerprint(question: Mapping[str, object]) -> str:
    asked = sorted((name, str(value)) for name, value in question.items() if name not in {"cursor", "limit"} and value is not None)
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
