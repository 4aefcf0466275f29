"""What is Postal's own?"""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from service.esp.postal import ADAPTER
from service.esp_kit.adapter import Accepted, Refused
from service.model.events import Event
from tests.esp.cases import NOW, delivery_of, keys_of, one_case, request_of, signed

KEYS = keys_of(ADAPTER)
SHA256, SHA1 = "x-postal-signature-256", "x-postal-signature"


def failed(details: str) -> Event:
    payload = {"message": {"to": "a@example.com"}, "details": details, "output": "550 5.1.1 unknown", "status": "HardFail"}
    body = json.dumps({"event": "MessageDeliveryFailed", "uuid": "u", "payload": payload}).encode()
    return ADAPTER.parse(delivery_of(body, {})).events[0]


def over_sha_1(body: bytes) -> str:
    key = serialization.load_pem_private_key(KEYS.private.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA1())).decode()  # noqa: S303 - what Postal 2 signs with


def test_signature_over_sha_1_counts_where_there_is_no_other() -> None:
    """Postal 2 has no other; from version 3 on there are both."""
    body = one_case(ADAPTER).body
    assert ADAPTER.verify(request_of(body, {SHA1: over_sha_1(body)}), KEYS.trust, NOW) == Accepted()
    assert isinstance(ADAPTER.verify(request_of(body + b" ", {SHA1: over_sha_1(body)}), KEYS.trust, NOW), Refused)
    assert isinstance(ADAPTER.verify(request_of(body, {SHA1: over_sha_1(body), SHA256: "AAAA"}), KEYS.trust, NOW), Refused)


def test_neither_signature_stands_for_the_other() -> None:
    request = signed(one_case(ADAPTER))
    older = {SHA1: request.headers[SHA256]}
    assert isinstance(ADAPTER.verify(request_of(request.body, older), KEYS.trust, NOW), Refused)
    newer = {SHA256: over_sha_1(request.body)}
    assert isinstance(ADAPTER.verify(request_of(request.body, newer), KEYS.trust, NOW), Refused)


@pytest.mark.parametrize(
    ("endpoint", "host", "ip"),
    [
        ("mx1.example.com", "mx1.example.com", None),
        ("mx1.example.com:25.", "mx1.example.com", None),
        ("203.0.113.7:25 (mx1.example.com)", "mx1.example.com", "203.0.113.7"),
        ("mx1.example.com (203.0.113.7)", "mx1.example.com", "203.0.113.7"),
        ("203.0.113.7", None, "203.0.113.7"),
        ("2001:db8::7", None, "2001:db8::7"),
        ("[2001:db8::7]:25 (mx1.example.com)", "mx1.example.com", "2001:db8::7"),
        ("a@example.com", None, None),
    ],
)
def test_remote_host_and_address_are_read_from_the_sentence(endpoint: str, host: str | None, ip: str | None) -> None:
    event = failed(f"Permanent SMTP delivery error when sending to {endpoint}")
    assert (event.remote_host, event.remote_ip) == (host, ip)


def test_sentence_without_an_endpoint_names_no_host() -> None:
    assert failed("Something else went wrong").remote_host is None
