"""Which id does a delivery get before it is kept? One that sorts by time: the form of UUID version 7 (RFC 9562, section 5.7)."""

import secrets
from datetime import datetime

from service.model.moments import EPOCH

_VERSION = 7 << 76
_VARIANT = 2 << 62
_LATE_BITS = 62


def delivery_id(received_at: datetime) -> str:
    """32 hex digits: milliseconds, the rest of the moment down to a quarter of a microsecond, then chance."""
    microseconds = (received_at - EPOCH) // EPOCH.resolution
    milliseconds, rest = divmod(microseconds, 1_000)
    fraction = rest << 2 | secrets.randbits(2)
    number = milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT | secrets.randbits(_LATE_BITS)
    return f"{number:032x}"
