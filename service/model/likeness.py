"""Which known word was probably meant by one that is not known?"""

from collections.abc import Iterable
from difflib import get_close_matches

_NEAR = 0.7  # the share of letters in common: "sendgird" and sendgrid have 0.88


def meant(written: str, known: Iterable[str]) -> str:
    """A question that names the likeliest word, to stand behind the one that was written; empty where none is near."""
    near = get_close_matches(written.lower(), list(known), n=1, cutoff=_NEAR)
    return f" (did you mean {near[0]}?)" if near else ""
