"""Which mailbox does a written address mean?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.addresses import MAX_ADDRESS, address_of, addresses_in


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("anna.berg@nordwerk.example", "anna.berg@nordwerk.example"),
        (" Anna.Berg@NordWerk.Example\r\n", "anna.berg@nordwerk.example"),
        ("<anna@nordwerk.example>", "anna@nordwerk.example"),
        ("Anna Berg <Anna@nordwerk.example>", "anna@nordwerk.example"),
        ('"Berg, Anna" <anna@nordwerk.example>', "anna@nordwerk.example"),
        ('"<odd>" <anna@nordwerk.example>', "anna@nordwerk.example"),
        ("anna+tag/x='y@nordwerk.example", "anna+tag/x='y@nordwerk.example"),
        ("anna@nordwerk.example.", "anna@nordwerk.example"),
        ("anna@büro.example", "anna@xn--bro-hoa.example"),
        ("anna@BÜRO.example", "anna@xn--bro-hoa.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@\uff4e\uff4f\uff52\uff44werk.example", "anna@nordwerk.example"),
        ("jürgen@büro.example", "jürgen@xn--bro-hoa.example"),
        ("JU\N{COMBINING DIAERESIS}RGEN@example.com", "jürgen@example.com"),
        ('"anna berg"@nordwerk.example', '"anna berg"@nordwerk.example'),
        ("anna@[192.0.2.1]", "anna@[192.0.2.1]"),
        ("root@localhost", "root@localhost"),
        ("b@_dmarc.example", "b@_dmarc.example"),
    ],
)
def test_same_mailbox_is_spelt_in_one_way(written: str, address: str) -> None:
    assert address_of(written) == address


@pytest.mark.parametrize(
    "written",
    [
        *(None, 7, [], {}, "", "@", "anna", "anna@", "@example.com", "anna berg@example.com", "a,b@example.com", "a@b@example.com"),
        *(
            "anna@exam ple.com",
            "anna@example..com",
            "anna@-",
            "anna@.example",
            "an\0na@example.com",
            "an\nna@example.com",
            "<a@b",
            "a<@b.example",
        ),
        *(
            "anna@" + "a" * 320,
            "a" * 2_000 + "@example.com",
            "anna@\N{SNOWMAN}\N{COMBINING ENCLOSING KEYCAP}.example",
            "anna@ü" + "a" * 70 + ".example",
        ),
        *("a" * 310 + "@example.com", "ü" * 310 + "@example.com"),
    ],
)
def test_what_is_no_address_is_none(written: object) -> None:
    assert address_of(written) is None


def test_header_list_gives_each_address_once() -> None:
    written = 'Anna <anna@example.com>, "Berg, B. \\"x\\"" <b@example.com>, anna@example.com, nobody, c@example.com,'
    assert addresses_in(written) == ("anna@example.com", "b@example.com", "c@example.com")
    assert addresses_in(None) == ()
    assert addresses_in('"' * 100_000) == ()


@given(st.one_of(st.text(), st.from_regex(r"[\w.<>\" @\u0130ß-]{1,30}@[\wü.-]{1,30}")))
def test_spelling_is_idempotent_and_bounded(written: str) -> None:
    address = address_of(written)
    assert address is None or (address_of(address) == address and len(address) <= MAX_ADDRESS and address.isprintable())
