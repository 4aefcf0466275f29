"""What does a body's JSON say, whatever else it holds?"""

import pytest

from service.esp_kit import jsontext
from service.model.errors import UnreadableError


@pytest.mark.parametrize("body", [b"", b" \n", b"{", b"[1,]", b"[" * 5_000, b"9" * 5_000 + b"x", b'{"a":' * 3_000 + b"1" + b"}" * 3_000])
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        jsontext.load(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"a\\u0000b"', "ab"),
        (b'{"a\\u0000":{"b":["c\\u0000",{"d":"\\u0000"}]}}', {"a": {"b": ["c", {"d": ""}]}}),
        (b'["\\ud83d x", "\\ud83d\\ude00"]', [" x", "\N{GRINNING FACE}"]),
        (b'"\xff"', "\N{REPLACEMENT CHARACTER}"),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'["a\nb"]', ["a\nb"]),
        (b"[1e400, -1e400, NaN, Infinity, 1.5e3]", [None, None, None, None, 1500.0]),
        (b"[1e400, 18446744073709551616, " + b"9" * 5_000 + b"]", [None, 18446744073709551616, "9" * 5_000]),
        (b"18446744073709551615", 18446744073709551615),
    ],
)
def test_one_odd_value_spoils_no_other(body: bytes, value: object) -> None:
    assert jsontext.load(body) == value


def test_value_as_deep_as_is_read_is_cleaned() -> None:
    value = jsontext.load(b"[" * 900 + b'"\\u0000"' + b"]" * 900)
    for _ in range(900):
        assert isinstance(value, list)
        value = value[0]
    assert value == ""


@pytest.mark.parametrize(
    ("body", "named"), [(b"[]", "array"), (b"null", "null"), (b'"a"', "string"), (b"true", "boolean"), (b"1", "number"), (b"1.5", "number")]
)
def test_another_value_where_an_object_belongs_is_named(body: bytes, named: str) -> None:
    with pytest.raises(UnreadableError, match=named):
        jsontext.load_object(body)


def test_items_are_an_array_or_one_object() -> None:
    assert jsontext.load_items(b"[1, 2]") == [1, 2]
    assert jsontext.load_items(b'{"a":1}') == [{"a": 1}]
    with pytest.raises(UnreadableError, match="string"):
        jsontext.load_items(b'"a"')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", None),
        (7, "7"),
        (9007199254741777, "9007199254741777"),
        (1.5, "1.5"),
        (True, None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_text_is_a_string_or_the_digits_of_a_number(value: object, text: str | None) -> None:
    assert jsontext.text({"key": value}, "key") == text


def test_text_is_cut_at_its_limit() -> None:
    assert jsontext.text({"key": "a" * 600}, "key") == "a" * 512
    assert jsontext.text({"key": "a" * 600}, "key", 550) == "a" * 550


def test_getters_answer_with_nothing_where_another_type_stands() -> None:
    for wrong in (None, 1, "a", True, [1], {"a": 1}):
        source = {"key": wrong}
        assert jsontext.flag(source, "key") is (True if wrong is True else None)
        assert jsontext.mapping(source, "key") == (wrong if isinstance(wrong, dict) else {})
        assert jsontext.items(source, "key") == (wrong if isinstance(wrong, list) else [])
        assert jsontext.objects(source, "key") == []


def test_objects_of_a_list_come_without_the_rest() -> None:
    assert jsontext.objects({"key": [1, {"a": 1}, "b", {}]}, "key") == [{"a": 1}, {}]


@pytest.mark.parametrize(
    ("value", "texts"), [("a", ("a",)), (["a", 1, "", "b"], ("a", "b")), ([], None), (None, None), (7, None), (["a"] * 200, ("a",) * 100)]
)
def test_texts_are_a_list_or_a_bare_string(value: object, texts: tuple[str, ...] | None) -> None:
    assert jsontext.texts({"key": value}, "key") == texts


def test_text_map_writes_inner_values_as_json() -> None:
    source = {"a": "b", "n": 7, "list": [1, "x"], "none": None, "own": "left out"}
    assert jsontext.text_map(source, without={"own"}) == {"a": "b", "n": "7", "list": '[1,"x"]'}
    assert jsontext.text_map({"none": None}) is None


def test_text_map_is_bounded() -> None:
    found = jsontext.text_map({f"{number}" + "k" * 600: "v" * 600 for number in range(200)})
    assert found is not None
    assert len(found) == 100
    assert all(len(key) == len(value) == 512 for key, value in found.items())


def test_value_too_deep_to_be_written_out_is_left_out() -> None:
    assert jsontext.text_map({"deep": jsontext.load(b"[" * 900 + b"]" * 900), "a": "b"}) == {"a": "b"}
