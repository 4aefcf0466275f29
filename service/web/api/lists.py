"""How does every list of the API answer?"""

from collections.abc import Mapping, Sequence
from typing import Any

import idna
from flask import Response, abort

from service.bootstrap import Hopp
from service.store.database import Connection
from service.store.reading.paging import Position
from service.store.reading.sources import find_source
from service.web.cursors import CursorError, decode_cursor, encode_cursor
from service.web.problems import wrong_parameter


def position_in(asked: Mapping[str, Any], id_type: type[int | str]) -> Position | None:
    """Where the page that is asked for begins; a 422 where the cursor is not of this list and these filters."""
    try:
        return decode_cursor(asked.get("cursor"), asked, id_type)
    except CursorError:
        mend = "Give next_cursor unchanged and with the same filters, or leave it out for the first page."
        abort(wrong_parameter("cursor", "Is not a cursor of this list with these filters.", mend))


def check_source(connection: Connection, hopp: Hopp, asked: Mapping[str, Any]) -> None:
    """A 422 where a source is asked for that is neither configured nor known from history: an empty list would look like silence."""
    name = asked.get("source")
    if name is not None and hopp.settings.find_source(name) is None and find_source(connection, name) is None:
        abort(wrong_parameter("source", "There is no source of this name.", "/api/v1/sources lists those there are."))


def page(items: Sequence[object], end: Position | None, asked: Mapping[str, Any]) -> dict[str, object]:
    """A page of a list."""
    return {"items": items, "next_cursor": encode_cursor(end, asked)}


def domain_in(text: str) -> str:
    """A recipient domain as it is stored: lower case, A-labels, no dot at the end; nonsense stays nonsense and finds nothing."""
    lowered = text.strip().lower().removesuffix(".")
    if lowered.isascii():
        return lowered
    try:
        return idna.encode(lowered, uts46=True).decode()
    except UnicodeError:
        return lowered


def finish(response: Response) -> Response:
    """Let who asks again for the same know that it has not changed, and keep the answer out of shared caches."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    response.add_etag()
    return response
