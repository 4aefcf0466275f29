"""Does the reference rule give the worked figures of its definition?"""

import math

import pytest

from bench.world.ledger import Sums
from bench.world.rule import BUSINESS, CONSUMER, GATEWAY, PSEUDO_ATTEMPTS, RULES, ClassRates, is_spike, log_e

# warm bounced, warm tried, cold bounced, cold tried; log10 e, shrunk rate in percent, fires
WORKED = (
    (BUSINESS, (1, 1, 0, 0), 1.52, 6.5, False),
    (BUSINESS, (2, 5, 0, 0), 1.89, 9.4, False),
    (BUSINESS, (3, 3, 0, 0), 4.87, 14.6, False),
    (BUSINESS, (4, 4, 0, 0), 6.60, 18.2, True),
    (BUSINESS, (4, 12, 0, 0), 3.54, 13.6, True),
    (BUSINESS, (4, 30, 0, 0), 1.54, 8.7, False),
    (BUSINESS, (10, 100, 0, 0), 3.59, 8.6, True),
    (BUSINESS, (20, 500, 0, 0), 1.50, 3.9, False),
    (GATEWAY, (8, 100, 0, 0), 1.12, 7.0, False),
    (BUSINESS, (0, 0, 4, 4), 2.10, 18.2, True),
    (BUSINESS, (0, 0, 9, 18), 1.20, 24.6, False),
    (BUSINESS, (0, 0, 30, 200), -0.47, 13.8, False),
    (BUSINESS, (0, 40, 9, 12), -4.45, 13.0, False),
    (CONSUMER, (8, 600, 0, 0), 0.58, 1.3, False),
    (CONSUMER, (12, 600, 0, 0), 3.65, 1.9, True),
)


@pytest.mark.parametrize(("rates", "sums", "log10_e", "shrunk_percent", "fires"), WORKED)
def test_worked_example_has_its_figures(rates: ClassRates, sums: Sums, log10_e: float, shrunk_percent: float, *, fires: bool) -> None:
    bounced, tried = sums[0] + sums[2], sums[1] + sums[3]
    shrunk = 100 * (bounced + PSEUDO_ATTEMPTS * rates.prior) / (tried + PSEUDO_ATTEMPTS)
    assert round(log_e(sums, rates) / math.log(10), 2) == log10_e
    assert round(shrunk, 1) == shrunk_percent
    assert is_spike(sums, rates) is fires


@pytest.mark.parametrize(
    ("rule", "bounced", "tried", "fires"),
    [
        ("static-5", 1, 20, True),
        ("static-5", 1, 19, False),
        ("static-5", 1, 21, False),
        ("static-10", 5, 50, True),
        ("static-10", 5, 49, False),
        ("static-30", 5, 16, True),
        ("static-30", 4, 4, False),
        ("static-30", 5, 17, False),
    ],
)
def test_plain_rule_fires_from_its_border_on(rule: str, bounced: int, tried: int, *, fires: bool) -> None:
    assert RULES[rule]((bounced, tried, 0, 0), BUSINESS) is fires
