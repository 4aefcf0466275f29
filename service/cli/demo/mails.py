"""What became of one mail, before any ESP words it?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count, product

_FIRST = ("anna", "tom", "mira", "jonas", "lena", "paul", "ines", "oskar", "rosa", "emil", "klara", "hugo")
_LAST = ("berg", "hill", "sato", "ortiz", "lind", "moreau", "novak", "keller")


class Fate(StrEnum):
    """What the ESP will say of a mail."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # reported as a hard bounce
    FULL = "full"  # reported as a soft bounce
    DEFERRED = "deferred"  # the ESP goes on trying
    NEVER_TRIED = "never tried"  # on the ESP's own list
    OPENED = "opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one person and what the recipient's server answered."""

    id: str  # unique over all runs
    recipient: str
    at: datetime
    fate: Fate
    answer: str  # the server's words
    host: str  # the server that answered
    campaign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A recipient domain and the server in front of it."""

    domain: str
    host: str

    def people(self, number: int) -> tuple[str, ...]:
        """So many made-up addresses, always the same ones."""
        names = (f"{first}.{last}" for last, first in product(_LAST, _FIRST))
        return tuple(f"{name}@{self.domain}" for name, _ in zip(names, range(number), strict=False))


class Postbag:
    """Makes mails whose ids no other run has."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._numbers = count(1)

    def mails(self, recipients: Sequence[str], *, company: Company, at: datetime, fate: Fate, answer: str, campaign: str) -> Iterator[Mail]:
        """One mail to each; `<>` in the answer stands for the address."""
        for recipient in recipients:
            yield Mail(
                id=f"{self._run}-{next(self._numbers):05}",
                recipient=recipient,
                at=at,
                fate=fate,
                answer=answer.replace("<>", f"<{recipient}>"),
                host=company.host,
                campaign=campaign,
            )
