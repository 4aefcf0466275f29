"""What must no log line and no error answer show? Mail addresses and credentials."""

import re
from collections.abc import Mapping, Sequence

HIDDEN = "***"
_SECRET_NAMES = ("authorization", "cookie", "password", "secret", "token", "api_key", "apikey", "credential")
_LOGIN_IN_URL = re.compile(r"://[^/\s@]{1,300}@")
_SECRET_IN_QUERY = re.compile(r"([?&;](?:token|key|secret|code|auth|signature|password|api_?key)=)[^&;\s]{1,2000}", re.IGNORECASE)
# Wider than RFC 5321 on purpose: a masked word too many is better than an address. Bounded, so that it stays linear.
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;\[\]{}/?&=|]{1,128}(?:@|%40)(?=[\w\[])")


def mask(text: str) -> str:
    """The text without logins, secrets in query strings, and the local parts of addresses."""
    if "://" in text:
        text = _LOGIN_IN_URL.sub(f"://{HIDDEN}@", text)
    if "=" in text:
        text = _SECRET_IN_QUERY.sub(rf"\1{HIDDEN}", text)
    if "@" in text or "%40" in text:
        text = _ADDRESS.sub(f"{HIDDEN}@", text)
    return text


def mask_value(name: str, value: object) -> object:
    """One field of a log line: hidden whole where its name says that it is a secret."""
    if any(secret in name.lower() for secret in _SECRET_NAMES):
        return HIDDEN
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bytes):
        return mask(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {mask(str(key)): mask_value(str(key), item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [mask_value("", item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else mask(str(value))
