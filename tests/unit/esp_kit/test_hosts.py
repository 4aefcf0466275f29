"""Which server does a text name?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.esp_kit.hosts import ip_of, server_in


@pytest.mark.parametrize(
    ("written", "host", "ip"),
    [
        ("mx.example (203.0.113.5)", "mx.example", "203.0.113.5"),
        ("mx.example[203.0.113.5]:25", "mx.example", "203.0.113.5"),
        ("mx.example. [IPv6:2001:db8::1]", "mx.example", "2001:db8::1"),
        (" mx.example. ", "mx.example", None),
        ("[203.0.113.5]", None, "203.0.113.5"),
        ("203.0.113.5", None, "203.0.113.5"),
        ("mx.example (nobody)", "mx.example", None),
        ("mx.example. (203.0.113.5, the server for the domain x.example.)", "mx.example", "203.0.113.5"),
        ("<>", None, None),
        (None, None, None),
    ],
)
def test_name_and_address_are_told_apart(written: object, host: str | None, ip: str | None) -> None:
    assert server_in(written) == (host, ip)


@pytest.mark.parametrize(
    ("written", "ip"),
    [
        ("192.0.2.200:41022", "192.0.2.200"),
        ("[2001:db8::7]:41022", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("IPv6:2001:db8::7", "2001:db8::7"),
        ("192.0.2.300", None),
        ("fe80::1%eth\0", None),
        (7, None),
    ],
)
def test_port_is_no_part_of_an_address(written: object, ip: str | None) -> None:
    assert ip_of(written) == ip


@given(st.text(max_size=600))
def test_no_text_raises_or_gives_a_long_name(written: str) -> None:
    server = server_in(written)
    assert server.host is None or (len(server.host) <= 255 and server.host.isascii())
    assert server.ip is None or ip_of(server.ip) == server.ip
