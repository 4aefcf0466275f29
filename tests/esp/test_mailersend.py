"""What is MailerSend's own?"""

import pytest

from service.esp.mailersend import ADAPTER
from service.esp_kit.adapter import Accepted, Handshake, Refused, SourceTrust
from service.esp_kit.sign import hex_hmac
from tests.esp.cases import CASES, NOW, keys_of, request_of, signed

TEST = next(case for case in CASES if str(case) == "mailersend-test")
BOUNCE = next(case for case in CASES if str(case) == "mailersend-hard-bounced-with-escaped-slashes")
TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"
TRUST = keys_of(ADAPTER).trust


def test_test_that_is_signed_with_the_public_secret_is_answered_and_not_kept() -> None:
    request = request_of(TEST.body, {"signature": hex_hmac(TEST_SECRET, TEST.body)})
    assert ADAPTER.verify(request, TRUST, NOW) == Accepted()
    assert ADAPTER.handshake is not None
    assert ADAPTER.handshake(request, TRUST) == Handshake()


def test_public_secret_vouches_for_nothing_else() -> None:
    for body in (BOUNCE.body, BOUNCE.body.replace(b"Tender", b"webhook.test"), b'"webhook.test"', b"webhook.test"):
        assert isinstance(ADAPTER.verify(request_of(body, {"signature": hex_hmac(TEST_SECRET, body)}), TRUST, NOW), Refused)


def test_public_secret_opens_no_source_that_has_none() -> None:
    request = request_of(TEST.body, {"signature": hex_hmac(TEST_SECRET, TEST.body)})
    assert isinstance(ADAPTER.verify(request, SourceTrust(secrets=()), NOW), Refused)


@pytest.mark.parametrize("body", [BOUNCE.body, BOUNCE.body.replace(b"Tender", b"webhook.test"), b"webhook.test"])
def test_event_is_no_handshake(body: bytes) -> None:
    assert ADAPTER.handshake is not None
    assert ADAPTER.handshake(request_of(body, {}), TRUST) is None


def test_escapes_belong_to_what_is_signed() -> None:
    request = signed(BOUNCE)
    assert b"\\/" in request.body
    assert ADAPTER.verify(request, TRUST, NOW) == Accepted()
    rewritten = request_of(request.body.replace(b"\\/", b"/"), request.headers)
    assert isinstance(ADAPTER.verify(rewritten, TRUST, NOW), Refused)
