"""How is an address shown to somebody who may not see it, and a server's answer that quotes it?"""

import re

# As wide as the mask of the logs: a word too many is better than an address. Bounded, so that it stays linear.
_ADDRESS = re.compile(r"([^\s@<>\"'(),:;\[\]{}/?&=|])[^\s@<>\"'(),:;\[\]{}/?&=|]{0,127}(?:@|%40)(?=[\w\[])")
_SHORTEST_NAME = 3  # a shorter local part is part of too many words


def mask_address(address: str) -> str:
    """`j***@example.com` for an address."""
    local, separator, domain = address.rpartition("@")
    return f"{local[:1]}***{separator}{domain}"


def mask_text(text: str, recipient: str | None = None) -> str:
    """A text in which no address is whole, nor the local part of its recipient where it stands alone."""
    masked = _ADDRESS.sub(r"\1***@", text)
    local = (recipient or "").rpartition("@")[0]
    if len(local) < _SHORTEST_NAME:
        return masked
    alone = re.compile(rf"(?<![\w.+-]){re.escape(local)}(?![\w+-]|\.\w)", re.IGNORECASE)
    return alone.sub(f"{local[:1]}***", masked)
