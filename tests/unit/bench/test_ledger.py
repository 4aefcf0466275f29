"""Does the ledger count people, in the right cell, whatever the order of arrival?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.world.clock import DAY, HOUR
from bench.world.ledger import Fact, Ledger, Sums

DOMAIN = "d1.example"
FACTS = st.lists(
    st.builds(
        lambda person, hour, kind, source: (f"p{person}@{DOMAIN}", hour, kind, source),
        st.integers(1, 3),
        st.integers(0, 40),
        st.sampled_from(("delivered", "soft", "hard")),
        st.sampled_from(("one", "two")),
    ),
    max_size=12,
)


def ledger_of(*events: tuple[str, float, str, str]) -> Ledger:
    ledger = Ledger()
    for number, (address, hour, kind, source) in enumerate(events):
        ledger.add(DOMAIN, address, Fact(hour * HOUR, kind != "delivered", f"{number}", source, kind))
    return ledger


def counted(*events: tuple[float, str]) -> Sums:
    """The cells of one person."""
    return ledger_of(*((f"p1@{DOMAIN}", hour, kind, "one") for hour, kind in events)).sums(DOMAIN, 24, {"one"})


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([(0, "hard")], (0, 0, 1, 1), id="a stranger's bounce is cold"),
        pytest.param([(0, "delivered"), (1, "hard")], (1, 1, 0, 1), id="a bounce after a delivery is warm"),
        pytest.param([(0, "hard"), (1, "hard")], (0, 0, 1, 1), id="a repeat counts nowhere"),
        pytest.param([(0, "hard"), (1, "delivered"), (2, "hard")], (1, 1, 1, 2), id="a delivery to a bounced address is cold"),
        pytest.param([(0, "delivered"), (1, "soft")], (0, 1, 0, 1), id="a soft bounce is an attempt"),
        pytest.param([(0, "delivered"), (59 * 24, "hard")], (1, 1, 0, 0), id="59 days after a delivery is warm"),
        pytest.param([(0, "delivered"), (61 * 24, "hard")], (0, 0, 1, 1), id="61 days after a delivery is cold"),
    ],
)
def test_cell_follows_from_the_history(events: list[tuple[float, str]], expected: Sums) -> None:
    assert counted(*events) == expected


def test_late_delivery_makes_an_already_counted_bounce_warm() -> None:
    assert counted((5, "hard"), (4, "delivered")) == counted((4, "delivered"), (5, "hard"))


def test_window_ends_at_the_newest_hour_of_the_domain() -> None:
    ledger = ledger_of((f"p1@{DOMAIN}", 0, "hard", "one"), (f"p2@{DOMAIN}", 2, "delivered", "one"))
    assert ledger.sums(DOMAIN, 2, {"one"}) == (0, 0, 0, 1)


def test_source_that_is_not_asked_for_is_left_out() -> None:
    ledger = ledger_of((f"p1@{DOMAIN}", 0, "hard", "one"), (f"p2@{DOMAIN}", 0, "hard", "two"))
    assert ledger.sums(DOMAIN, 2, {"two"}) == (0, 0, 1, 1)


@given(events=FACTS.flatmap(lambda events: st.tuples(st.just(events), st.permutations(range(len(events))))))
def test_counts_do_not_depend_on_the_order_of_arrival(events: tuple[list[tuple[str, float, str, str]], list[int]]) -> None:
    known, order = events
    straight, mixed = Ledger(), Ledger()
    for ledger, numbers in ((straight, range(len(known))), (mixed, order)):
        for number in numbers:
            address, hour, kind, source = known[number]
            ledger.add(DOMAIN, address, Fact(hour * HOUR, kind != "delivered", f"{number}", source, kind))
    for hours in (2, int(2 * DAY / HOUR)) if known else ():
        assert mixed.sums(DOMAIN, hours, {"one", "two"}) == straight.sums(DOMAIN, hours, {"one", "two"})
