"""Which fields does a posted form hold, urlencoded or multipart?"""

import binascii
import re

from service.esp_kit.jsontext import clean_text
from service.model.errors import UnreadableError

_MAX_FIELDS = 1_000
_MAX_HEAD = 2_000  # a part's headers; longer ones would make the search for its name slow
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")  # stands for itself
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})')
_PART_NAME = re.compile(rb'(?im)^content-disposition:[^\r\n]*?;\s*name="([^"\r\n]*)"')
_FILE_NAME = re.compile(rb"(?im)^content-disposition:[^\r\n]*?;\s*filename\*?=")


def read_form(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The fields in their order, repeated ones too; files of a multipart form are left out."""
    if content_type.lower().startswith("multipart/"):
        return _read_multipart(body, content_type)
    if body.count(b"&") >= _MAX_FIELDS:
        raise UnreadableError(f"the form has more than {_MAX_FIELDS:,} fields")
    return fields_in(_unwrapped(body))


def fields_in(urlencoded: bytes) -> list[tuple[str, str]]:
    """The fields of a form or of a query in their order, blank and repeated ones too."""
    pairs = [field.partition(b"=") for field in urlencoded.split(b"&") if field]
    return [(_decoded(_unquoted(name)), _decoded(_unquoted(value))) for name, _, value in pairs]


def first_values(fields: list[tuple[str, str]]) -> dict[str, str]:
    """Each field once, with the first value it had."""
    return dict(reversed(fields))


def _unwrapped(body: bytes) -> bytes:
    """The form without the blanks around its fields, which no sender writes and a file that it was saved to ends in."""
    if b"\n" not in body:
        return body
    return b"&".join([field.strip() for field in body.split(b"&")])


def _unquoted(written: bytes) -> bytes:
    """A field without its escapes: quoted-printable is the same but for its sign, and is read far faster than `urllib` reads a form."""
    spaced = written.replace(b"+", b" ")
    if b"%" not in spaced:
        return spaced
    escaped = _NO_ESCAPE.sub(b"%25", spaced).replace(b"=", b"%3D")
    return binascii.a2b_qp(escaped.replace(b"%", b"="))


def _read_multipart(body: bytes, content_type: str) -> list[tuple[str, str]]:
    found = _BOUNDARY.search(content_type)
    if not found:
        raise UnreadableError("the multipart form names no boundary")
    parts = body.split(b"--" + found[1].encode("utf-8", "replace"), _MAX_FIELDS + 1)
    if len(parts) > _MAX_FIELDS + 1:
        raise UnreadableError(f"the form has more than {_MAX_FIELDS:,} fields")
    return [field for part in parts[1:] if (field := _field_in(part))]


def _field_in(part: bytes) -> tuple[str, str] | None:
    head, _, value = part.partition(b"\r\n\r\n")
    name = _PART_NAME.search(head) if len(head) <= _MAX_HEAD else None
    if not name or _FILE_NAME.search(head):
        return None
    return _decoded(name[1]), _decoded(value.removesuffix(b"\r\n"))


def _decoded(value: bytes) -> str:
    return clean_text(value.decode("utf-8", "replace"))
