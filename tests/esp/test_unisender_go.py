"""What is Unisender Go's own?"""

from dataclasses import replace

import pytest

from service.esp.unisender_go import ADAPTER
from service.esp_kit.adapter import Accepted, Handshake, Refused, SourceTrust
from service.esp_kit.jsontext import load_object
from tests.esp.cases import NOW, keys_of, request_of

KEYS = keys_of(ADAPTER)


def test_digest_is_over_the_body_with_the_key_in_its_place() -> None:
    """Made independently: MD5 of `{"auth":"APIKEY","events_by_user":[]}`."""
    body = b'{"auth":"e938c25d72e0f49c6a9d4f3c2aef1548","events_by_user":[]}'
    assert ADAPTER.verify(request_of(body, {}), SourceTrust(secrets=("OTHER", "APIKEY")), NOW) == Accepted()
    assert isinstance(ADAPTER.verify(request_of(body + b" ", {}), SourceTrust(secrets=("APIKEY",)), NOW), Refused)


@pytest.mark.parametrize("body", [b'{"events_by_user":[]}', b'{"auth":7,"events_by_user":[]}', b'{"auth" : "x","events_by_user":[]}'])
def test_sample_without_a_place_for_the_digest_gets_one(body: bytes) -> None:
    request = ADAPTER.signer.sign(request_of(body, {}), KEYS, NOW)
    assert ADAPTER.verify(request, KEYS.trust, NOW) == Accepted()
    assert load_object(request.body)["events_by_user"] == []


def test_activation_asks_by_get_and_is_answered() -> None:
    assert "GET" in ADAPTER.methods
    assert ADAPTER.handshake is not None
    request = request_of(b"", {})
    assert ADAPTER.handshake(replace(request, method="GET"), KEYS.trust) == Handshake()
    assert ADAPTER.handshake(request, KEYS.trust) is None
