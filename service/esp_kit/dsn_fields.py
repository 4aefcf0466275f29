"""What do the fields of a delivery report say: groups of lines, typed addresses, dates (RFC 3464, RFC 6533)?"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of

_MAX_LINES = 20_000
_MAX_GROUPS = 2_000
_MAX_VALUE = 8_000
_MAX_DATE = 100
_BEGINNINGS = frozenset({"original-recipient", "final-recipient", "action"})
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*:[ \t]*(.*)")
_TYPED = re.compile(r"\s*([A-Za-z0-9-]{1,40})\s*;\s*(.*)", re.DOTALL)
_XTEXT = re.compile(r"\+(2B|3D|20)")  # what ORCPT has to encode; any other pair may be a part of the address (RFC 3461, section 4)
_UTF8_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, section 3
_VERP = re.compile(r"[^\s@]*?[+-]([^\s@=+]{1,64})=([A-Za-z0-9.-]{1,253}\.[A-Za-z0-9-]{2,63})@[^\s@]+")

Group = dict[str, str]


def groups_in(text: str) -> list[Group]:
    """Fields by lower-case name, in groups between blank lines; a line that is no field goes on with the one before it, indented or not."""
    groups: list[Group] = [{}]
    name = ""
    for line in text.splitlines()[:_MAX_LINES]:
        if not line.strip():
            if groups[-1] and len(groups) < _MAX_GROUPS:
                groups.append({})
            name = ""
            continue
        found = None if line[0] in " \t" else _FIELD.match(line)
        if found:
            name = found[1].lower()
            if name in _BEGINNINGS and name in groups[-1] and len(groups) < _MAX_GROUPS:
                groups.append({})  # some leave out the blank line between two recipients
            groups[-1].setdefault(name, found[2].strip())
        elif name:
            groups[-1][name] = f"{groups[-1][name]} {line.strip()}"[:_MAX_VALUE]
    return [group for group in groups if group]


def untyped(value: str | None) -> str | None:
    """What stands behind the type, as in `dns; mx.example` or `smtp; 550 …`."""
    found = _TYPED.match(value) if value else None
    return (found[2].strip() if found else (value or "").strip()) or None


def typed_address(value: str | None) -> str | None:
    """The address in `rfc822; a@example.com`, `utf-8; a@example.com`, `<a@example.com>` or with its signs encoded."""
    written = untyped(value)
    if written is None:
        return None
    written = _UTF8_XTEXT.sub(_character, _XTEXT.sub(lambda pair: chr(int(pair[1], 16)), written[:_MAX_VALUE]))
    return address_of(written) or address_of(written.split(" ", 1)[0])


def address_in_verp(value: str | None) -> str | None:
    """The recipient in a return path like `b+name=example.com@bounces.example`."""
    written = address_of(value)
    found = _VERP.fullmatch(written) if written else None
    return address_of(f"{found[1]}@{found[2]}") if found else None


def mail_date(value: str | None) -> datetime | None:
    """A date as mails write it (RFC 5322), or in any form that others use."""
    if not value or len(value) > _MAX_DATE:
        return None
    try:
        return moment_of(parsedate_to_datetime(value).isoformat())
    except (ValueError, TypeError, IndexError, OverflowError):
        return moment_of(value)


def _character(encoded: re.Match[str]) -> str:
    number = int(encoded[1], 16)
    return chr(number) if number <= _LAST_CHARACTER and number not in _SURROGATES else ""
