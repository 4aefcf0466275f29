"""What makes an event the same event when it comes again?"""


def identity_of(*parts: object) -> tuple[str, ...]:
    """The parts as text in their order, an absent one as ''; kind, recipient and source are added by whoever makes the key."""
    return tuple(["" if part is None else str(part) for part in parts])


def bare_message_id(written: str | None) -> str | None:
    """A message id as all ESPs can share it: without angle brackets and blanks around it."""
    return (written.strip(" \t\r\n<>") or None) if written else None
