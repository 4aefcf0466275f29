"""Which blocklist does an answer name, and when may the mail come again?"""

import re

_KNOWN_LISTS = (
    ("spamhaus", "Spamhaus"),
    ("spamcop", "SpamCop"),
    ("barracuda", "Barracuda"),
    ("sorbs", "SORBS"),
    ("uceprotect", "UCEPROTECT"),
    ("proofpoint", "Proofpoint"),
    ("cloudmark", "Cloudmark"),
    ("invaluement", "Invaluement"),
    ("mailspike", "Mailspike"),
    ("senderscore", "Sender Score"),
    ("abusix", "Abusix"),
    ("hostkarma", "Hostkarma"),
    ("junkemailfilter", "Hostkarma"),
    ("mail-abuse.com", "Trend Micro ERS"),
    ("ers-rbl", "Trend Micro ERS"),
    ("trend micro", "Trend Micro ERS"),
    ("fortiguard", "FortiGuard"),
    ("psbl", "PSBL"),
    ("surbl", "SURBL"),
    ("uribl", "URIBL"),
    ("nixspam", "NiX Spam"),
    ("lashback", "LashBack"),
    ("backscatterer", "Backscatterer"),
    ("blocklist.de", "blocklist.de"),
    ("manitu", "NiX Spam"),
    ("0spam", "0spam"),
    ("truncate", "Truncate"),
    ("dnswl", "DNSWL"),
    ("cbl.abuseat", "Spamhaus"),
    ("kasserver", "All-Inkl"),
    ("blagr.emailsrvr", "Rackspace"),
)
_NAMED_LIST = re.compile(
    r"(?:blocked using|listed (?:in|at|by|on)|blacklisted (?:in|at|by|on)|rbl:?|dnsbl:?) ([a-z0-9-]+(?:\.[a-z0-9-]+){1,4})"
)
_WAIT = re.compile(
    r"(?:again|retry|wait|come back|gr[ae]ylist\w*|delay\w*|defer\w*)[a-z ,:.;=(]{0,30}?(\d{1,5}) ?"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAY_SECONDS = 86_400


def blocklist_named(line: str) -> str | None:
    """Give the name of the blocklist that an answer speaks of."""
    for mark, name in _KNOWN_LISTS:
        if mark in line:
            return name
    found = _NAMED_LIST.search(line)
    return found[1] if found else None


def retry_after_seconds(line: str) -> int | None:
    """Give the wait that a server asks for, where it names one of a day at most."""
    found = _WAIT.search(line)
    if found is None:
        return None
    seconds = int(found[1]) * _SECONDS[found[2][0]]
    return seconds if 0 < seconds <= _DAY_SECONDS else None
