"""How one mail to one person is counted, given what happened to that person before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerting.counting import CELL_COUNTS, Attempt, Cell, History, attempt, fold, needs_refold
from service.model.moments import DAY_US
from service.model.words import EventKind, Phase

_DAY = DAY_US


def mail(
    day: float,
    *,
    bounced: bool = False,
    is_hard: bool = True,
    message: str | None = None,
    phase: Phase = Phase.SYNC,
) -> Attempt:
    kind = EventKind.BOUNCED if bounced else EventKind.DELIVERED
    key = f"{day}|{bounced}|{is_hard}|{message}|{phase}".encode()
    return attempt(kind=kind, occurred_us=int(day * _DAY), key=key, is_hard=bounced and is_hard, phase=phase, message_id=message)


def cells(*attempts: Attempt) -> list[Cell]:
    return [cell for _, cell in fold(History(), attempts, 60)[1]]


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        pytest.param([mail(1)], [Cell.COLD_DELIVERED], id="a stranger is cold"),
        pytest.param([mail(1), mail(2)], [Cell.COLD_DELIVERED, Cell.WARM_DELIVERED], id="delivered to lately is warm"),
        pytest.param([mail(1), mail(62)], [Cell.COLD_DELIVERED, Cell.COLD_DELIVERED], id="after sixty days cold again"),
        pytest.param([mail(1), mail(61)], [Cell.COLD_DELIVERED, Cell.WARM_DELIVERED], id="on the sixtieth day still warm"),
        pytest.param([mail(1), mail(2, bounced=True)], [Cell.COLD_DELIVERED, Cell.WARM_HARD], id="a warm person bounces"),
        pytest.param([mail(1, bounced=True)], [Cell.COLD_HARD], id="a stranger bounces"),
        pytest.param([mail(1, bounced=True), mail(2, bounced=True)], [Cell.COLD_HARD, Cell.REPEAT_HARD], id="once is enough"),
        pytest.param(
            [mail(1), mail(1, bounced=True), mail(2, bounced=True)],
            [Cell.COLD_DELIVERED, Cell.WARM_HARD, Cell.REPEAT_HARD],
            id="of two in one moment the delivery came first",
        ),
        pytest.param([mail(1, bounced=True), mail(2)], [Cell.COLD_HARD, Cell.COLD_DELIVERED], id="delivered in bounced state is cold"),
        pytest.param([mail(1), mail(2, bounced=True, is_hard=False)], [Cell.COLD_DELIVERED, Cell.WARM_SOFT], id="soft"),
        pytest.param([mail(1, bounced=True, is_hard=False)], [Cell.COLD_SOFT], id="soft for a stranger"),
        pytest.param(
            [mail(1, message="m"), mail(2, bounced=True, message="m", phase=Phase.ASYNC)],
            [Cell.REPLACED, Cell.COLD_HARD],
            id="a mail that came back was never delivered",
        ),
        pytest.param(
            [mail(1, message="m"), mail(2, bounced=True, message="m")],
            [Cell.COLD_DELIVERED, Cell.WARM_HARD],
            id="only a later report replaces",
        ),
        pytest.param(
            [mail(1, bounced=True, message="m", phase=Phase.ASYNC), mail(2, message="m")],
            [Cell.COLD_HARD, Cell.COLD_DELIVERED],
            id="a delivery after it stands",
        ),
        pytest.param(
            [mail(1), mail(2, bounced=True, phase=Phase.ASYNC)],
            [Cell.COLD_DELIVERED, Cell.WARM_HARD],
            id="without a message id nothing is replaced",
        ),
    ],
)
def test_cells(attempts: list[Attempt], expected: list[Cell]) -> None:
    assert cells(*attempts) == expected


_ATTEMPTS = st.lists(
    st.builds(
        mail,
        st.integers(1, 100),
        bounced=st.booleans(),
        is_hard=st.booleans(),
        message=st.sampled_from([None, "a", "b"]),
        phase=st.sampled_from([Phase.SYNC, Phase.ASYNC]),
    ),
    unique_by=lambda item: item.key,
    max_size=10,
)


@given(_ATTEMPTS, st.data())
def test_arrival_order_changes_nothing(attempts: list[Attempt], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(attempts))

    assert fold(History(), attempts, 60) == fold(History(), shuffled, 60)


@given(_ATTEMPTS, st.integers(0, 10))
def test_folding_in_two_parts_equals_folding_at_once_where_no_refold_is_asked_for(attempts: list[Attempt], cut: int) -> None:
    ordered = sorted(attempts, key=lambda item: item.order)
    history, first = fold(History(), ordered[:cut], 60)
    if not needs_refold(history, ordered[cut:]):
        ended, second = fold(history, ordered[cut:], 60)
        assert (ended, first + second) == fold(History(), attempts, 60)


@given(_ATTEMPTS)
def test_every_attempt_gets_one_cell(attempts: list[Attempt]) -> None:
    _, counted = fold(History(), attempts, 60)

    assert {item.key for item, _ in counted} == {item.key for item in attempts}


def test_each_cell_has_its_counts() -> None:
    assert len(CELL_COUNTS) == len(Cell)
