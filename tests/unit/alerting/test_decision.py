"""The worked examples that the thresholds were published with, and laws of the decision."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerting.decision import Counts, Reason, decide
from service.alerting.policy import Policy
from service.model.words import DomainClass

POLICY = Policy()
BUSINESS, GATEWAY, CONSUMER = DomainClass.BUSINESS, DomainClass.BUSINESS_GATEWAY, DomainClass.CONSUMER

# class, warm k/n, cold k/n, log10 e, shrunk rate in %, why it does or does not fire
WORKED = [
    (BUSINESS, 1, 1, 0, 0, 1.52, 6.5, Reason.TOO_FEW_PEOPLE),
    (BUSINESS, 2, 5, 0, 0, 1.89, 9.4, Reason.TOO_FEW_PEOPLE),
    (BUSINESS, 3, 3, 0, 0, 4.87, 14.6, Reason.TOO_FEW_PEOPLE),
    (BUSINESS, 4, 4, 0, 0, 6.60, 18.2, Reason.FIRES),
    (BUSINESS, 4, 12, 0, 0, 3.54, 13.6, Reason.FIRES),
    (BUSINESS, 4, 30, 0, 0, 1.54, 8.7, Reason.NOT_SURPRISING),
    (BUSINESS, 10, 100, 0, 0, 3.59, 8.6, Reason.FIRES),
    (BUSINESS, 20, 500, 0, 0, 1.50, 3.9, Reason.BELOW_FLOOR),
    (GATEWAY, 8, 100, 0, 0, 1.12, 7.0, Reason.BELOW_FLOOR),
    (BUSINESS, 0, 0, 4, 4, 2.10, 18.2, Reason.FIRES),
    (BUSINESS, 0, 0, 9, 18, 1.20, 24.6, Reason.NOT_SURPRISING),
    (BUSINESS, 0, 0, 30, 200, -0.47, 13.8, Reason.NOT_ABOVE_EXPECTATION),
    (BUSINESS, 0, 40, 9, 12, -4.45, 13.0, Reason.NOT_SURPRISING),
    (CONSUMER, 8, 600, 0, 0, 0.58, 1.3, Reason.NOT_SURPRISING),
    (CONSUMER, 12, 600, 0, 0, 3.65, 1.9, Reason.FIRES),
]


@pytest.mark.parametrize(("domain_class", "wk", "wn", "ck", "cn", "log10_e", "percent", "reason"), WORKED)
def test_worked_example(
    domain_class: DomainClass, wk: int, wn: int, ck: int, cn: int, log10_e: float, percent: float, reason: Reason
) -> None:
    decision = decide(Counts(wn, wk, cn, ck), POLICY.thresholds(domain_class), POLICY, e_min=100)

    assert decision.ln_e / log(10) == pytest.approx(log10_e, abs=0.006)
    assert decision.shrunk_rate * 100 == pytest.approx(percent, abs=0.06)
    assert decision.reason is reason


@given(warm_n=st.integers(0, 10_000), cold_n=st.integers(0, 10_000))
def test_no_bounce_never_fires(warm_n: int, cold_n: int) -> None:
    assert not decide(Counts(warm_n, 0, cold_n, 0), POLICY.thresholds(BUSINESS), POLICY, e_min=100).fires


@given(k=st.integers(4, 50), n=st.integers(4, 200), more=st.integers(1, 200))
def test_more_delivered_mail_never_makes_an_alert(k: int, n: int, more: int) -> None:
    thresholds = POLICY.thresholds(BUSINESS)
    before = decide(Counts(max(n, k), k, 0, 0), thresholds, POLICY, e_min=100)
    after = decide(Counts(max(n, k) + more, k, 0, 0), thresholds, POLICY, e_min=100)

    assert before.fires or not after.fires
