"""Which answers are the same but for their ids, addresses and numbers?"""

import re

from service.classify.tidy import tidy

_VARIABLE = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}"  # IPv4
    r"|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}"  # IPv6
    r"|https?://\S+"
    r"|\S+\.(?:com|net|org|example|invalid)\b"
    r"|[\w.-]*#[\w.-]*"  # what is an id already, with what stands before it
    r"|[\w.-]*\d[\w.-]{5,}"  # queue ids, tokens, timestamps
    r"|(?<![\d.])\d{4,}"
)


def wording(text: str) -> str:
    """Give an answer's wording with everything that varies replaced, for counting: equal wordings want one rule."""
    code, status, words = tidy(text).lines[0].split(" ", 2)
    return " ".join(part for part in (code, status, _VARIABLE.sub("#", words)) if part not in ("", "-"))
