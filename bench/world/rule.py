"""Is this window a spike? The two-cell e-value written from its definition, and the plain rules it is compared with."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.world.ledger import Sums

K_MIN, E_MIN, PSEUDO_ATTEMPTS = 4, 100.0, 20
COUNT_RULE_PEOPLE = 10


@dataclass(frozen=True, slots=True)
class ClassRates:
    """What is ordinary in a class of domains."""

    warm: float
    cold: float
    prior: float
    floor: float


CONSUMER = ClassRates(0.003, 0.08, 0.003, 0.01)
BUSINESS = ClassRates(0.015, 0.20, 0.018, 0.08)
GATEWAY = ClassRates(0.020, 0.20, 0.022, 0.10)


def log_e(sums: Sums, rates: ClassRates) -> float:
    """How much better one unknown rate explains the window than the ordinary rates, as a logarithm."""
    warm_k, warm_n, cold_k, cold_n = sums
    k, n = warm_k + cold_k, warm_n + cold_n
    unknown_rate = math.lgamma(k + 1) + math.lgamma(n - k + 1) - math.lgamma(n + 2)
    return unknown_rate - _log_likelihood(warm_k, warm_n, rates.warm) - _log_likelihood(cold_k, cold_n, rates.cold)


def is_spike(sums: Sums, rates: ClassRates) -> bool:
    """Whether all four conditions hold."""
    warm_k, warm_n, cold_k, cold_n = sums
    k, n = warm_k + cold_k, warm_n + cold_n
    return (
        k >= K_MIN
        and k > expected(sums, rates)
        and (k + PSEUDO_ATTEMPTS * rates.prior) / (n + PSEUDO_ATTEMPTS) >= rates.floor
        and log_e(sums, rates) >= math.log(E_MIN)
    )


def expected(sums: Sums, rates: ClassRates) -> float:
    """How many bounces would be ordinary."""
    return sums[1] * rates.warm + sums[3] * rates.cold


def is_static_5(sums: Sums, rates: ClassRates) -> bool:
    """At least 5 % of at least 20 mails."""
    return _is_static(sums, share=0.05, fewest_bounced=1, fewest_tried=20)


def is_static_10(sums: Sums, rates: ClassRates) -> bool:
    """At least 10 % of at least 50 mails."""
    return _is_static(sums, share=0.10, fewest_bounced=1, fewest_tried=50)


def is_static_30(sums: Sums, rates: ClassRates) -> bool:
    """At least 30 %, and at least five people."""
    return _is_static(sums, share=0.30, fewest_bounced=5, fewest_tried=5)


RULES: dict[str, Callable[[Sums, ClassRates], bool]] = {
    "two-cell": is_spike,
    "static-5": is_static_5,
    "static-10": is_static_10,
    "static-30": is_static_30,
}


def _is_static(sums: Sums, *, share: float, fewest_bounced: int, fewest_tried: int) -> bool:
    bounced, tried = sums[0] + sums[2], sums[1] + sums[3]
    return bounced >= fewest_bounced and tried >= fewest_tried and bounced >= share * tried


def _log_likelihood(k: int, n: int, rate: float) -> float:
    return k * math.log(rate) + (n - k) * math.log(1 - rate)
