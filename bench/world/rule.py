"""Is this window a spike? The two-cell e-value and the plain count rule, written from their definition."""

import math
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


def _log_likelihood(k: int, n: int, rate: float) -> float:
    return k * math.log(rate) + (n - k) * math.log(1 - rate)
