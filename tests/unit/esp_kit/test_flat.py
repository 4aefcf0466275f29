"""Which fields does a body hold that is JSON or a form?"""

import pytest

from service.esp_kit.flat import read_flat
from service.model.errors import UnreadableError


def test_body_is_read_as_what_it_is_and_not_as_its_content_type_says() -> None:
    assert read_flat(b' {"a": "1"}', "application/x-www-form-urlencoded") == {"a": "1"}
    assert read_flat(b"a=1&a=2", "application/json") == {"a": "1"}


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"&&"])
def test_body_without_fields_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_flat(body, "")
