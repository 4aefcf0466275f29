"""Is this a spike? The decision on one window of one recipient domain, with its numbers and its reason."""

from dataclasses import dataclass
from enum import StrEnum
from math import lgamma, log

from service.alerting.policy import ClassThresholds, Policy


class Reason(StrEnum):
    """Why a window fires or does not."""

    FIRES = "fires"
    TOO_FEW_PEOPLE = "too_few_people"
    NOT_ABOVE_EXPECTATION = "not_above_expectation"
    BELOW_FLOOR = "below_floor"
    NOT_SURPRISING = "not_surprising"


@dataclass(frozen=True, slots=True)
class Counts:
    """Attempts (n) and people with a fresh reported hard bounce (k), in the warm and the cold cell."""

    warm_n: int = 0
    warm_k: int = 0
    cold_n: int = 0
    cold_k: int = 0

    @property
    def n(self) -> int:
        """All attempts: delivered and finally bounced, hard or soft."""
        return self.warm_n + self.cold_n

    @property
    def k(self) -> int:
        """All people with a fresh reported hard bounce."""
        return self.warm_k + self.cold_k

    @property
    def rate(self) -> float:
        """Share k of n; 0 where nothing was attempted."""
        return self.k / self.n if self.n else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.warm_n + other.warm_n, self.warm_k + other.warm_k, self.cold_n + other.cold_n, self.cold_k + other.cold_k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided on one window, and the numbers it was decided on."""

    reason: Reason
    counts: Counts
    expected: float  # hard bounces that the class table expects
    shrunk_rate: float
    threshold: float  # tau
    ln_e: float
    ln_e_min: float

    @property
    def fires(self) -> bool:
        """True where all four conditions hold."""
        return self.reason is Reason.FIRES


def ln_e_value(counts: Counts, thresholds: ClassThresholds) -> float:
    """Natural log of the e-value: one unknown rate, uniform on [0, 1], against the class's warm and cold rates."""
    alternative = lgamma(counts.k + 1) + lgamma(counts.n - counts.k + 1) - lgamma(counts.n + 2)
    return alternative - sum(
        k * log(mu) + (n - k) * log(1 - mu)
        for k, n, mu in (
            (counts.warm_k, counts.warm_n, thresholds.mu_warm),
            (counts.cold_k, counts.cold_n, thresholds.mu_cold),
        )
    )


def decide(counts: Counts, thresholds: ClassThresholds, policy: Policy, *, e_min: float) -> Decision:
    """Judge one window. The conditions are tried from the cheapest to the dearest; the first that fails is the reason."""
    expected = counts.warm_n * thresholds.mu_warm + counts.cold_n * thresholds.mu_cold
    shrunk_rate = (counts.k + policy.n0 * thresholds.p0) / (counts.n + policy.n0)
    ln_e = ln_e_value(counts, thresholds)
    ln_e_min = log(e_min)
    if counts.k < policy.k_min:
        reason = Reason.TOO_FEW_PEOPLE
    elif counts.k <= expected:
        reason = Reason.NOT_ABOVE_EXPECTATION
    elif shrunk_rate < thresholds.tau:
        reason = Reason.BELOW_FLOOR
    elif ln_e < ln_e_min:
        reason = Reason.NOT_SURPRISING
    else:
        reason = Reason.FIRES
    return Decision(
        reason=reason,
        counts=counts,
        expected=expected,
        shrunk_rate=shrunk_rate,
        threshold=thresholds.tau,
        ln_e=ln_e,
        ln_e_min=ln_e_min,
    )
