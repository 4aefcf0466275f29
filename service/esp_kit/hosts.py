"""Which server does a text name: by its host name, by its address, or by both?"""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

_LONGEST = 512
_LONGEST_NAME = 255
_IN_BRACKETS = re.compile(r"[\[(](?:IPv6:)?([0-9A-Fa-f.:]{2,45})[\]),]")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?(?=\.?(?:[\s\[(,;]|$))")
_KEPT = 8_192  # the mail of a day meets the same few thousand servers again and again
_PORT = re.compile(r":\d{1,5}$", re.ASCII)


class Server(NamedTuple):
    """A server as somebody named it."""

    host: str | None
    ip: str | None


NO_SERVER = Server(None, None)


def server_in(written: object) -> Server:
    """The server in `mx.example (203.0.113.5)`, `mx.example[203.0.113.5]:25`, `mx.example.`, `[203.0.113.5]` or a bare address."""
    if not isinstance(written, str):
        return NO_SERVER
    written = written[:_LONGEST].strip()
    bracketed = _IN_BRACKETS.search(written)
    ip = ip_of(bracketed[1]) if bracketed else ip_of(written)
    name = _NAME.match(written)
    host = name[0] if name and ip_of(name[0]) is None and len(name[0]) <= _LONGEST_NAME else None
    return Server(host, ip)


def ip_of(written: object) -> str | None:
    """The address in `203.0.113.5`, `203.0.113.5:25`, `2001:db8::1` or `[2001:db8::1]:25`; None where it is none."""
    if not isinstance(written, str) or len(written) > _LONGEST or "%" in written:  # a scope is another machine's own
        return None
    return _ip_once(written.strip())


@lru_cache(maxsize=_KEPT)
def _ip_once(bare: str) -> str | None:
    if bare.startswith("[") and "]" in bare:
        bare = bare[1 : bare.index("]")]
    elif bare.count(":") == 1:
        bare = _PORT.sub("", bare)
    try:
        return str(ip_address(bare.removeprefix("IPv6:")))
    except ValueError:
        return None
