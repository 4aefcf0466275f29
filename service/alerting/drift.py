"""Do more answers than usual say nothing that a rule knows?"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

_TEACHES = 200  # fewer answers before say too little of what is usual
_LEAST = 10  # undetermined answers; fewer are an oddity, not a drift
_LEAST_SHARE = 0.05
_TIMES = 2.0  # as large a share as before
_SIGMAS = 4.0


class Drift(StrEnum):
    """How the share of undetermined answers compares with the one before."""

    LEARNING = "learning"
    USUAL = "usual"
    JUMPED = "jumped"


@dataclass(frozen=True, slots=True)
class Replies:
    """How many answers came, and how many of them no rule knows."""

    answered: int = 0
    undetermined: int = 0

    @property
    def share(self) -> float:
        """Share that no rule knows; 0 where nothing came."""
        return self.undetermined / self.answered if self.answered else 0.0

    def __add__(self, other: "Replies") -> "Replies":
        return Replies(self.answered + other.answered, self.undetermined + other.undetermined)


def drift_of(now: Replies, before: Replies) -> Drift:
    """Compare today's answers with those before: many, a share twice the usual one, and too many for chance."""
    if before.answered < _TEACHES:
        return Drift.LEARNING
    usual = (before.undetermined + 1) / (before.answered + 2)
    expected = now.answered * usual
    chance = _SIGMAS * sqrt(expected * (1 - usual))
    is_large = now.undetermined >= _LEAST and now.share >= max(_LEAST_SHARE, _TIMES * usual)
    return Drift.JUMPED if is_large and now.undetermined > expected + chance else Drift.USUAL
