"""Which moment does an ESP mean, in whatever form it writes it?"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.dates import moment_of

MOMENT = datetime(2026, 1, 5, 8, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        1767600123,
        1767600123.0,
        "1767600123",
        " 1767600123 ",
        1767600123000,
        "1767600123000",
        "2026-01-05T08:02:03Z",
        "2026-01-05T08:02:03.000Z",
        "2026-01-05T08:02:03.0000000Z",
        "2026-01-05T08:02:03.000000000Z",
        "2026-01-05T10:02:03+02:00",
        "2026-01-05T08:02:03 +0000",
        "2026-01-05 08:02:03",
        "20260105T080203",
    ],
)
def test_every_form_means_the_same_moment(written: object) -> None:
    assert moment_of(written) == MOMENT


@pytest.mark.parametrize(
    ("written", "microsecond"),
    [
        (1767600123.412, 412000),
        ("1767600123.412345", 412345),
        (1767600123417, 417000),
        ("2026-01-05T08:02:03.1234567Z", 123456),
        ("2026-01-05T08:02:03.123456789Z", 123456),
    ],
)
def test_fractions_are_kept_to_the_microsecond(written: object, microsecond: int) -> None:
    assert moment_of(written) == MOMENT.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    "written",
    [
        *(None, True, "", "yesterday", [], {}, 0, -1, 10**30, float("nan"), float("inf"), "1e400", "9" * 60, "x" * 1_000_000),
        *("1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 4_102_444_800),
    ],
)
def test_mistake_is_no_moment(written: object) -> None:
    assert moment_of(written) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.from_regex(r"[0-9TZ:.+ -]{1,40}")))
def test_any_value_is_a_bounded_aware_moment_or_none(written: object) -> None:
    moment = moment_of(written)
    assert moment is None or (moment.tzinfo is UTC and 2000 <= moment.year < 2100)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_written_moment_is_read_back(moment: datetime) -> None:
    assert moment_of(moment.isoformat()) == moment
    assert moment_of(moment.isoformat().replace("+00:00", "")) == moment
