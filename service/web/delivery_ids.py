"""Which id does a delivery get before it is kept? One that sorts by time: the form of UUID version 7 (RFC 9562, section 5.7)."""

from datetime import datetime
from os import urandom

from service.model.moments import to_us

_VERSION = 7 << 76
_VARIANT = 2 << 62
_LATE_BITS = 62


def delivery_id(received_at: datetime) -> str:
    """32 hex digits: milliseconds, the rest of the moment down to a quarter of a microsecond, then chance."""
    milliseconds, rest = divmod(to_us(received_at), 1_000)
    chance = int.from_bytes(urandom(8))
    fraction = rest << 2 | chance >> _LATE_BITS
    number = milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT | chance & (1 << _LATE_BITS) - 1
    return f"{number:032x}"
