"""A sealed delivery is unsealed as it was, and what nobody sealed is said to be that."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.inbox.envelope import UnknownEnvelopeError, seal, unseal
from tests.inbox.deliveries import delivery

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(body=st.binary(max_size=3_000), content_type=_TEXT, headers=st.dictionaries(_TEXT, _TEXT, max_size=5), query=_TEXT)
def test_unsealing_gives_what_was_sealed(body: bytes, content_type: str, headers: dict[str, str], query: str) -> None:
    item = replace(delivery(body), content_type=content_type, headers=headers, query=query)
    assert unseal(seal(item)) == item


def test_a_large_body_travels_packed() -> None:
    assert len(seal(delivery(b"x" * 100_000))) < 1_000


def test_a_newer_version_is_not_guessed_at() -> None:
    sealed = seal(delivery())
    with pytest.raises(UnknownEnvelopeError, match="has version 2"):
        unseal(b"\x02" + sealed[1:])


@given(st.binary(max_size=200))
def test_what_nobody_sealed_is_said_to_be_that(message: bytes) -> None:
    with pytest.raises(UnknownEnvelopeError):
        unseal(message)


@given(st.data())
def test_a_message_that_was_cut_is_not_taken_for_a_delivery(data: st.DataObject) -> None:
    sealed = seal(delivery(b"x" * 5_000))
    cut = data.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(UnknownEnvelopeError):
        unseal(sealed[:cut])
