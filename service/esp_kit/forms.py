"""Which fields does a posted form hold, urlencoded or multipart?"""

import re
from urllib.parse import parse_qsl

from service.esp_kit.jsontext import clean_text
from service.model.errors import UnreadableError

_MAX_FIELDS = 1_000
_MAX_HEAD = 2_000  # a part's headers; longer ones would make the search for its name slow
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})')
_PART_NAME = re.compile(rb'(?i)content-disposition:[^\r\n]*?;\s*name="([^"\r\n]*)"')
_FILE_NAME = re.compile(rb"(?i)content-disposition:[^\r\n]*?;\s*filename\*?=")


def read_form(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The fields in their order, repeated ones too; files of a multipart form are left out."""
    if content_type.lower().startswith("multipart/"):
        return _read_multipart(body, content_type)
    try:
        fields = parse_qsl(_unwrapped(body).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise UnreadableError(f"the form has more than {_MAX_FIELDS:,} fields") from error
    return [(clean_text(name), clean_text(value)) for name, value in fields]


def first_values(fields: list[tuple[str, str]]) -> dict[str, str]:
    """Each field once, with the first value it had."""
    return dict(reversed(fields))


def _unwrapped(body: bytes) -> bytes:
    """The form without the blanks around its fields, which no sender writes and a file that it was saved to ends in."""
    if b"\n" not in body or body.count(b"&") >= _MAX_FIELDS:
        return body
    return b"&".join([field.strip() for field in body.split(b"&")])


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
