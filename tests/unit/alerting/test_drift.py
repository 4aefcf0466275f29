"""When do more answers than usual say nothing that a rule knows?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerting.drift import Drift, Replies, drift_of


def _replies() -> st.SearchStrategy[Replies]:
    return st.integers(0, 100_000).flatmap(lambda answered: st.builds(Replies, st.just(answered), st.integers(0, answered)))


@pytest.mark.parametrize(
    ("now", "before", "drift"),
    [
        pytest.param(Replies(100, 40), Replies(5_000, 100), Drift.JUMPED, id="a new wording"),
        pytest.param(Replies(100, 3), Replies(5_000, 100), Drift.USUAL, id="as before"),
        pytest.param(Replies(1_000, 45), Replies(5_000, 10), Drift.USUAL, id="more, but still few of all"),
        pytest.param(Replies(9, 9), Replies(5_000, 0), Drift.USUAL, id="too few to say"),
        pytest.param(Replies(1_000, 1_000), Replies(5_000, 4_900), Drift.USUAL, id="an ESP that passes on no text"),
        pytest.param(Replies(30, 12), Replies(5_000, 1_000), Drift.USUAL, id="twice as many, which chance can do"),
        pytest.param(Replies(1_000, 1_000), Replies(199, 0), Drift.LEARNING, id="a source that is new"),
        pytest.param(Replies(), Replies(), Drift.LEARNING, id="nothing at all"),
        pytest.param(Replies(), Replies(5_000, 10), Drift.USUAL, id="nothing today"),
    ],
)
def test_a_jump_is_large_and_more_than_chance(now: Replies, before: Replies, drift: Drift) -> None:
    assert drift_of(now, before) is drift


@given(_replies(), _replies())
def test_what_is_understood_as_well_as_before_never_jumps(now: Replies, before: Replies) -> None:
    if now.share <= before.share:
        assert drift_of(now, before) is not Drift.JUMPED


@given(_replies(), _replies(), st.integers(1, 1_000))
def test_a_jump_stays_one_when_still_fewer_are_understood(now: Replies, before: Replies, more: int) -> None:
    if drift_of(now, before) is Drift.JUMPED:
        assert drift_of(now + Replies(more, more), before) is Drift.JUMPED
