"""What makes an event the same event when it comes again?"""

from datetime import datetime

from service.model.moments import iso, to_us


def identity_of(*parts: object) -> tuple[str, ...]:
    """The parts as text in their order, an absent one as ''; kind, recipient and source are added by whoever makes the key."""
    return tuple("" if part is None else part if isinstance(part, str) else _written(part) for part in parts)


def _written(part: object) -> str:
    return iso(to_us(part)) if isinstance(part, datetime) else str(part)


def bare_message_id(written: str | None) -> str | None:
    """A message id as all ESPs can share it: without angle brackets and blanks around it."""
    return (written.strip(" \t\r\n<>") or None) if written else None
