"""What do all signature checks have in common: constant time over several secrets, and a bounded age?"""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from service.esp_kit.adapter import Accepted, Refused

NO_SECRET = Refused("the source has no usable secret")
NO_SIGNATURE = Refused("the request carries no signature")
WRONG_SIGNATURE = Refused("the signature is wrong")


def any_equal(given: bytes, expected: Iterable[bytes]) -> bool:
    """Is it one of them? All are compared, so that the time tells neither which nor how far."""
    equal = False
    for candidate in expected:
        equal |= hmac.compare_digest(given, candidate)
    return equal


def verdict(*, proven: bool) -> Accepted | Refused:
    """Accepted where the signature was proven."""
    return Accepted() if proven else WRONG_SIGNATURE


def refuse_age(signed_at: datetime | None, now: datetime, *, past: timedelta, future: timedelta) -> Refused | None:
    """Why a signed time cannot be believed; None where it can. The bounds themselves are allowed."""
    if signed_at is None:
        return Refused("the signed time is missing or unreadable")
    if signed_at < now - past:
        return Refused(f"the signature is older than {_said(past)}")
    if signed_at > now + future:
        return Refused(f"the signed time lies more than {_said(future)} ahead")
    return None


def as_bytes(value: str) -> bytes:
    """Text as UTF-8; nothing may raise on what somebody sent."""
    return value.encode("utf-8", "surrogatepass")


def header_bytes(value: str) -> bytes:
    """A header's value as it was on the wire: the server hands headers out as Latin-1."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return as_bytes(value)


def _said(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours:g} h" if hours >= 1 else f"{length / timedelta(minutes=1):g} min"
