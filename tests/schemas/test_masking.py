"""Does no address get past a mask, and do equal answers become one wording?"""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.schemas.masking import mask_address, mask_text
from service.schemas.wordings import top_wordings, wording

ADDRESS = "john.doe@steel.example"


@dataclass(frozen=True, slots=True)
class Answer:
    diagnostic: str
    recipient: str | None = None
    label: str | None = None
    vendor: str | None = None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<john.doe@steel.example>: unknown", "<j***@steel.example>: unknown"),
        ("user john.doe unknown", "user j*** unknown"),
        ("user JOHN.DOE, unknown", "user j***, unknown"),
        ("johnson.doe and john.doer stay", "johnson.doe and john.doer stay"),
        ("john%40steel.example", "j***@steel.example"),
        ("rcpt=anna@x.example;", "rcpt=a***@x.example;"),
        ("see https://support.example/?id=1", "see https://support.example/?id=1"),
        ("no address @ all", "no address @ all"),
    ],
)
def test_a_text_is_shown_without_whole_addresses(text: str, shown: str) -> None:
    assert mask_text(text, ADDRESS) == shown


def test_a_short_local_part_is_not_looked_for_in_words() -> None:
    assert mask_text("it is in it", "it@steel.example") == "it is in it"


@pytest.mark.parametrize(("address", "shown"), [(ADDRESS, "j***@steel.example"), ("@x", "***@x"), ("", "***")])
def test_an_address_keeps_its_first_letter_and_its_domain(address: str, shown: str) -> None:
    assert mask_address(address) == shown


@given(before=st.text(max_size=60), local=st.from_regex(r"[a-zé][a-z0-9._+-]{3,40}", fullmatch=True), after=st.text(max_size=60))
def test_a_recipients_name_never_gets_through_beside_its_sign(before: str, local: str, after: str) -> None:
    assert f"{local}@steel" not in mask_text(f"{before}{local}@steel.example{after}")


@given(st.text(max_size=300), st.one_of(st.none(), st.emails()))
def test_a_wording_is_bounded_and_never_fails(diagnostic: str, recipient: str | None) -> None:
    assert len(wording(diagnostic, recipient)) <= 300


@pytest.mark.parametrize(
    ("diagnostic", "words"),
    [
        ("550 5.1.1 <a@x.example> unknown (id 4Xz81aQ7kk)", "550 5.1.1 <address> unknown (id <id>)"),
        ("smtp;550 5.4.1 Access denied. AS(201806281)", "smtp;550 5.4.1 Access denied. AS(#)"),
        ("550-5.7.1  try\r\nagain in 300 seconds", "550-5.7.1 try again in # seconds"),
        ("no code at all", "no code at all"),
    ],
)
def test_what_differs_from_mail_to_mail_is_taken_out(diagnostic: str, words: str) -> None:
    assert wording(diagnostic, None) == words


def test_the_most_frequent_wordings_come_first() -> None:
    answers = [Answer(f"550 user{number}@x.example unknown", label="invalid_recipient") for number in range(3)]
    found = top_wordings([Answer("550 b"), *answers, Answer("550 a")], limit=2)
    assert [(item.wording, item.count) for item in found] == [("550 <address> unknown", 3), ("550 a", 1)]
