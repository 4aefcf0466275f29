"""How does the API word a moment, a name in a query, and where a list goes on?"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.model.moments import hour_iso, iso, to_us

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
_TEXT_LENGTH = 320
_SEQ_MAX = 2**63 - 1
_YEAR_MIN, _YEAR_MAX = 1971, 9000
_LOST_PLUS = re.compile(r":[\d.]+ \d\d:?\d\d\Z")
_TIME_EXAMPLE = "2026-01-05T08:00:00Z"


class MomentField(fields.String):
    """A stored count of microseconds, shown as ISO 8601 in UTC; 0 and null are shown as null."""

    def _serialize(self, value: Any, attr: str | None, obj: object, **kwargs: Any) -> str | None:  # noqa: ANN401 - marshmallow's own
        return iso(value) if value else None


class HourField(fields.String):
    """A stored UTC hour, shown as the ISO 8601 moment at which it begins."""

    def _serialize(self, value: Any, attr: str | None, obj: object, **kwargs: Any) -> str | None:  # noqa: ANN401 - marshmallow's own
        return None if value is None else hour_iso(value)


class QueryMoment(fields.String):
    """A moment in a query, taken as microseconds; without an offset it is UTC."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        try:
            written = datetime.fromisoformat(str(value))
            moment = (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            hint = " A + in an address means a blank: write it as %2B." if _LOST_PLUS.search(str(value)) else ""
            raise ValidationError(f"Is not a moment in ISO 8601.{hint}") from error
        if not _YEAR_MIN <= moment.year <= _YEAR_MAX:
            raise ValidationError("Is too far away.")
        return to_us(moment)


class QueryMark(QueryMoment):
    """A moment, or the `updated_seq` of the last change that was seen."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        text = str(value)
        if text.isascii() and text.isdigit():
            return SeenUpTo(_whole(text, _SEQ_MAX))
        return super()._deserialize(value, attr, data, **kwargs)


class SeenUpTo(int):
    """The `updated_seq` of the last change that a poller has seen."""


class QueryLimit(fields.Integer):
    """How many rows; more than the most that is given is taken as the most."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:  # noqa: ANN401 - marshmallow's own
        text = str(value)
        if not text.isascii() or not text.isdigit() or not text.strip("0"):
            raise ValidationError("Is not a whole number of at least 1.")
        return _whole(text, LIMIT_MAX)


def moment(description: str, *, attribute: str | None = None, data_key: str | None = None) -> MomentField:
    """A moment in an answer, kept as microseconds in an attribute of another name."""
    metadata = {"description": description, "format": "date-time"}
    return MomentField(allow_none=True, attribute=attribute, data_key=data_key, metadata=metadata)


def word(words: type[StrEnum]) -> fields.String:
    """One word of a closed list in an answer, stored as it is spelt."""
    return fields.String(required=True, metadata={"enum": [item.value for item in words]})


def query_moment(description: str, *, data_key: str | None = None) -> QueryMoment:
    """A moment in a query."""
    return QueryMoment(data_key=data_key, metadata=_asked(description, f"Write it as {_TIME_EXAMPLE}.", format="date-time"))


def query_mark(description: str) -> QueryMark:
    """A moment or a sequence number in a query."""
    return QueryMark(metadata=_asked(description, f"Write a moment as {_TIME_EXAMPLE}, or the updated_seq of the last alert seen."))


def query_text(description: str, mend: str = "Give 1 to 320 printable characters.") -> fields.String:
    """A name in a query: nothing that a database refuses."""
    long_enough = validate.Length(1, _TEXT_LENGTH, error="Is empty or too long.")
    return fields.String(validate=[long_enough, _printable], metadata=_asked(description, mend))


def query_choice(words: type[StrEnum], description: str, *, allow_none: bool = False) -> fields.Enum[StrEnum]:
    """One word of a closed list in a query or a body."""
    choices = ", ".join(words)
    return fields.Enum(
        words,
        by_value=True,
        allow_none=allow_none,
        error_messages={"unknown": "Is not one of the words that this parameter knows."},
        metadata=_asked(description, f"Give one of: {choices}."),
    )


def saying(invalid: str) -> dict[str, Any]:
    """What a field says where it is wrong, in the words of this API and not of the library."""
    return {"required": "Is missing.", "null": "Is null.", "invalid": invalid, "invalid_utf8": invalid}


def _whole(digits: str, most: int) -> int:
    significant = digits.lstrip("0") or "0"
    return most if len(significant) > len(str(most)) else min(int(significant), most)


def _asked(description: str, mend: str, **metadata: object) -> dict[str, object]:
    return {"description": description, "x-mend": mend, **metadata}


def _printable(text: str) -> None:
    if not text.isprintable():
        raise ValidationError("Holds a character that cannot be printed.")


class PageQuery(Schema):
    """What every list can be asked."""

    limit = QueryLimit(
        load_default=LIMIT_DEFAULT,
        metadata=_asked(
            f"How many at once; more than {LIMIT_MAX} gives {LIMIT_MAX}.",
            f"Give a whole number from 1 to {LIMIT_MAX}.",
            minimum=1,
        ),
    )
    cursor = fields.String(
        validate=[validate.Length(1, 1_000, error="Is empty or too long."), _printable],
        metadata=_asked(
            "`next_cursor` of the page before; give the same filters with it.",
            "Leave it out for the first page, or give next_cursor of the page before unchanged.",
        ),
    )


class SpanQuery(PageQuery):
    """What a list with `from` and `to` can be asked."""

    @validates_schema
    def refuse_reversed(self, given: Mapping[str, Any], **_: object) -> None:
        """Nothing lies between them, which would look as if nothing had come."""
        if given.get("from_", 0) > given.get("to", given.get("from_", 0)):
            raise ValidationError("Is later than `to`, so nothing can lie between them.", field_name="from")


def next_cursor() -> fields.String:
    """Where a list goes on."""
    return fields.String(
        required=True, allow_none=True, metadata={"description": "Give it as `cursor` for the next page; null on the last one."}
    )
