"""Which mailbox does a written address mean, and how is it spelt so that the same mailbox is always the same text?"""

import re
import unicodedata
from functools import lru_cache

import idna

MAX_ADDRESS = 320  # 64 for the local part, 255 for the domain, and the sign between (RFC 5321, section 4.5.3.1)
_MAX_DOMAIN = 255
_MAX_WRITTEN = 1_024  # a display name may stand before it
_MAX_LIST = 4_000  # an unclosed quotation mark makes the search quadratic
_BARE_LOCAL = re.compile(r'[^\s@"<>,;\x00-\x20\x7f]+')
_PLAIN = re.compile(_BARE_LOCAL.pattern + "@[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")
_BETWEEN = re.compile(r'((?:"(?:[^"\\]|\\.)*"|<[^<>]*>|[^",<>])*+)(?:,|$)')
_ASCII_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-z:.]+\]", re.ASCII)


def address_of(value: object) -> str | None:
    """The bare address in lower case with its domain as A-labels; None where it is no address."""
    if not isinstance(value, str) or len(value) > _MAX_WRITTEN:
        return None
    written = value.strip()
    if written.endswith(">") and "<" in written:
        written = written[written.rindex("<") + 1 : -1].strip()
    lowered = written.lower()
    return lowered if _is_plain(lowered) else _unusual(lowered)


def addresses_in(value: object) -> tuple[str, ...]:
    """Every address of a header's list, in order, each once."""
    if not isinstance(value, str):
        return ()
    if _is_plain(lowered := value.lower()):  # nearly always: one address and nothing else
        return (lowered,)
    found = (address_of(part) for part in _BETWEEN.findall(value[:_MAX_LIST]))
    return tuple(dict.fromkeys(address for address in found if address))


def _is_plain(lowered: str) -> bool:
    return len(lowered) <= _MAX_DOMAIN and lowered.isascii() and _PLAIN.fullmatch(lowered) is not None and ".." not in lowered


def _unusual(lowered: str) -> str | None:
    """A quoted or non-ASCII local part, a domain in Unicode, a root dot at the end, or more letters than nearly all have."""
    local, _, domain_part = lowered.rpartition("@")
    local = unicodedata.normalize("NFC", local)
    quoted = len(local) > 1 and local[0] == local[-1] == '"'
    if not local or not local.isprintable() or (not quoted and not _BARE_LOCAL.fullmatch(local)):
        return None
    a_labels = _a_labels(domain_part)
    if not a_labels or len(a_labels) > _MAX_DOMAIN:
        return None
    address = f"{local}@{a_labels}"
    return address if len(address) <= MAX_ADDRESS else None


@lru_cache(maxsize=4_096)
def _a_labels(domain_part: str) -> str | None:
    domain_part = domain_part.removesuffix(".")
    if domain_part.isascii():
        return domain_part if _ASCII_DOMAIN.fullmatch(domain_part) and ".." not in domain_part else None
    try:
        return idna.encode(domain_part, uts46=True).decode()
    except UnicodeError:
        return None
