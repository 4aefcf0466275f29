"""Which thresholds may be changed, and what a wrong one says."""

import pytest

from service.alerting.policy import Policy, PolicyError, policy_from
from service.model.words import DomainClass


def test_nothing_changed_is_the_default() -> None:
    assert policy_from({}) == Policy()


def test_a_class_and_a_general_threshold_can_be_changed() -> None:
    policy = policy_from({"business": {"tau": 0.05}, "alert": {"k_min": 6}})

    assert (policy.thresholds(DomainClass.BUSINESS).tau, policy.k_min) == (0.05, 6)
    assert policy.thresholds(DomainClass.BUSINESS).mu_warm == 0.015


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"bussiness": {}}, "no such table"),
        ({"business": {"tua": 0.1}}, "no such threshold"),
        ({"business": {"tau": 1.5}}, "between 0 and 1"),
        ({"alert": {"kmin": 4}}, "no such threshold"),
        ({"alert": {"k_min": 0}}, "from 1 to"),
        ({"alert": {"k_min": 4.9}}, "whole number"),
        ({"alert": {"e_min": float("nan")}}, "from 1 to"),
        ({"alert": {"warm_days": float("inf")}}, "from 1 to"),
        ({"alert": {"critical_rate": 50}}, "from 0.01 to 1"),
        ({"alert": {"hold_min_seconds": 3_600}}, "greater than hold_max_seconds"),
        ({"alert": {"short_window_hours": 24}}, "smaller than long_window_hours"),
    ],
)
def test_a_wrong_threshold_names_itself(tables: dict[str, dict[str, float]], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        policy_from(tables)


@pytest.mark.parametrize(("hours", "e_min"), [(0, 100), (2_000, 100), (4_000, 200)])
def test_e_min_grows_with_traffic(hours: int, e_min: float) -> None:
    assert Policy().e_min_at(hours) == e_min


def test_e_min_can_be_fixed() -> None:
    assert policy_from({"alert": {"e_min_domain_hours": 0}}).e_min_at(50_000) == 100
