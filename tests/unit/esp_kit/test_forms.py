"""Which fields does a posted form hold, urlencoded or multipart?"""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.forms import first_values, read_form
from service.model.errors import UnreadableError

PIECES = ["a", "ü", "😀", "&", "=", "+", " ", "_", "\t", "%", "%4", "%zz", "%41", "%25", "%26", "%3D", "%0D%0A", "%C3%BC", "%c3", "%FF"]
MULTIPART = 'multipart/form-data; boundary="b1"'


def part(name: str, value: str, more: str = "") -> bytes:
    return f'--b1\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()


def test_urlencoded_fields_keep_their_order_and_repetitions() -> None:
    assert read_form(b"a=1&b=%C3%BC+x&a=2&empty=", "") == [("a", "1"), ("b", "ü x"), ("a", "2"), ("empty", "")]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_fields_are_those_that_the_standard_library_reads(form: str) -> None:
    assert read_form(form.encode(), "") == parse_qsl(form, keep_blank_values=True)


def test_blanks_around_fields_belong_to_the_file_that_a_form_was_saved_to() -> None:
    assert read_form(b"a=1\n    &b=x+%0A\r\n&c=2\n", "") == [("a", "1"), ("b", "x \n"), ("c", "2")]


def test_multipart_fields_keep_their_order_and_repetitions() -> None:
    body = part("a", "1") + part("b", "ü\r\nx") + part("a", "2") + b"--b1--\r\n"
    assert read_form(body, MULTIPART) == [("a", "1"), ("b", "ü\r\nx"), ("a", "2")]


def test_files_and_parts_without_a_name_are_left_out() -> None:
    body = part("file", "x", '; filename="x.eml"') + b"--b1\r\n\r\nnameless\r\n" + part("a", "1") + b"--b1--"
    assert read_form(body, "Multipart/Form-Data; boundary=b1; charset=utf-8") == [("a", "1")]


def test_first_value_of_a_repeated_field() -> None:
    assert first_values([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1", "b": "2"}


def test_values_are_fit_to_be_kept() -> None:
    assert read_form(b"a=%00x%ED%A0%80", "") == [("a", "x\ufffd\ufffd\ufffd")]
    assert read_form(part("a", "\0x"), MULTIPART) == [("a", "x")]


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"a=1&" * 2_000, ""), (part("a", "1") * 2_000, MULTIPART), (part("a", "1"), "multipart/form-data")]
)
def test_endless_or_boundless_form_is_unreadable(body: bytes, content_type: str) -> None:
    with pytest.raises(UnreadableError):
        read_form(body, content_type)
