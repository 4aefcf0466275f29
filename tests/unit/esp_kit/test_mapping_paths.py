"""Which values does a path mean?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.mapping_paths import PathError, read_path

BODY: dict[str, Any] = {
    "tenant": "acme",
    "a.b": {"c d": 1, 'e"f': 2},
    "batch": [{"id": 1, "rcpt": ["x", "y"], "people": [{"email": "a"}, {"email": "b"}, 3]}, {"id": 2}, "no object"],
    "one": {"id": 3},
    "nothing": None,
}


def values(path: str, *around: object) -> list[object]:
    return list(read_path(path).values(around or (BODY,)))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("tenant", ["acme"]),
        ("one.id", [3]),
        ('"a.b"."c d"', [1]),
        ('"a.b"."e\\"f"', [2]),
        ("batch[0].id", [1]),
        ("batch[].id", [1, 2]),
        ("batch[].rcpt[]", ["x", "y"]),
        ("batch[0].rcpt", [["x", "y"]]),
        ("batch[].people[].email", ["a", "b"]),
        ("batch[9].id", []),
        ("batch.id", []),
        ("tenant.id", []),
        ("tenant[0]", []),
        ("tenant[]", []),
        ("nothing", []),
        ("missing", []),
    ],
)
def test_a_path_means_what_stands_there(path: str, found: list[object]) -> None:
    assert values(path) == found


def test_a_path_may_start_at_the_body_or_at_the_object_around() -> None:
    around = (BODY, BODY["batch"], {"id": 9})
    assert values("id", *around) == [9]
    assert values("$.tenant", *around) == values("$tenant", *around) == ["acme"]
    assert values("^.id", BODY["one"], {"id": 9}) == [3]
    assert values("^.id", BODY) == []
    assert values("$[0].id", [{"id": 4}]) == [4]


def test_elements_know_what_stands_around_them() -> None:
    batch = BODY["batch"]
    assert list(read_path("batch[]").elements(BODY)) == [(BODY, element) for element in batch]
    assert list(read_path("batch").elements(BODY)) == list(read_path("batch[]").elements(BODY))
    assert list(read_path("batch[].people").elements(BODY)) == [(BODY, batch[0], person) for person in batch[0]["people"]]
    assert list(read_path("one").elements(BODY)) == [(BODY, BODY["one"])]
    assert list(read_path("[].id").elements([{"id": {"x": 1}}, {}])) == [({"id": {"x": 1}}, {"x": 1})]
    assert list(read_path("tenant").elements(BODY)) == []


@pytest.mark.parametrize("path", ["", "$", "^.", ".", "a.", "a..b", "a b", "a[x]", "a[", "a]", '"a', '""', "a[12345]", "a." * 200 + "a"])
def test_what_is_no_path_is_refused_with_an_example(path: str) -> None:
    with pytest.raises(PathError, match=r"a path looks like data\.email"):
        read_path(path)


@given(
    st.text(max_size=40),
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)
def test_whatever_is_written_and_wherever_it_points_nothing_else_is_raised(path: str, body: object) -> None:
    try:
        read = read_path(path)
    except PathError:
        return
    list(read.values((body,)))
    list(read.elements(body))
