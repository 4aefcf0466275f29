"""Does the page of results say what was reached, and keep what was not measured anew?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results import ORDER, Goal, Section, Table, merged, rendered, shown, write


def section(key: str, *goals: Goal) -> Section:
    return Section(key=key, title=f"About {key}", goals=goals, body=("Words.", Table(head=("run", "a second"), rows=[("one", "2")])))


MISSED = Goal(what="accepted / bare Flask", wanted=0.7, reached=[0.5, 0.4, 0.9], bound="The reply.")
HELD = Goal(what="p99", wanted=50, reached=[30.0], sense="at most", unit="ms")


def test_goal_is_judged_by_its_median() -> None:
    assert (MISSED.middle, MISSED.is_held, HELD.is_held) == (0.5, False, True)


def test_goal_that_is_not_held_stands_at_the_top_and_says_what_bounds_it() -> None:
    page = merged("", {"single": rendered(section("single", MISSED, HELD), "*today*")})
    assert "Goals that are not held:\n\n- accepted / bare Flask: 0.50, wanted at least 0.70\n" in page
    assert "| accepted / bare Flask | at least 0.70 | 0.50 | 0.50, 0.40, 0.90 | **no** |" in page
    assert "| p99 | at most 50.0 ms | 30.0 ms | once | yes |" in page
    assert "- Not held: accepted / bare Flask. The reply." in page


def test_page_without_missed_goals_says_so() -> None:
    assert "All goals that were measured are held." in merged("", {"single": rendered(section("single", HELD), "*today*")})


def test_part_that_was_not_measured_keeps_its_text(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    write(page, "single", rendered(section("single", MISSED), "*yesterday*"))
    write(page, "batch", rendered(section("batch", HELD), "*today*"))
    write(page, "batch", rendered(section("batch"), "*tonight*"))
    text = page.read_text(encoding="utf-8")
    assert ("*yesterday*" in text, "*today*" in text, "*tonight*" in text) == (True, False, True)
    assert "- accepted / bare Flask: 0.50" in text


@given(st.permutations(ORDER))
def test_order_of_measuring_does_not_show(keys: list[str]) -> None:
    page = ""
    for key in keys:
        page = merged(page, {key: rendered(section(key, MISSED), "*today*")})
    assert page == merged("", {key: rendered(section(key, MISSED), "*today*") for key in ORDER})


@pytest.mark.parametrize(("figure", "text"), [(0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234")])
def test_figure_has_the_digits_that_mean_something(figure: float, text: str) -> None:
    assert shown(figure) == text
