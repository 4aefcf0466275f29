"""Is SocketLabs' validation answered, and does every record of a post prove itself?"""

import json
from datetime import UTC, datetime

import pytest

from service.esp.socketlabs import ADAPTER
from service.esp_kit.adapter import Accepted, Handshake, Refused, SourceTrust, WebhookRequest

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TRUST = SourceTrust(secrets=("old-key", "new-key"))


def request_of(body: bytes | object, method: str = "POST") -> WebhookRequest:
    posted = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(method=method, url="", headers={}, query="", body=posted)


def shake(request: WebhookRequest) -> Handshake | None:
    assert ADAPTER.handshake is not None
    return ADAPTER.handshake(request, TRUST)


@pytest.mark.parametrize(
    "body", [{"Type": "Validation", "SecretKey": "new-key"}, {"SecretKey": "new-key"}, b"SecretKey=new-key&ServerId=1"]
)
def test_validation_is_answered_with_its_own_key(body: object) -> None:
    assert ADAPTER.verify(request_of(body), TRUST, NOW) == Accepted()
    assert shake(request_of(body)) == Handshake(body="new-key")


@pytest.mark.parametrize(
    "request_",
    [
        request_of({"Type": "Sent", "SecretKey": "new-key"}),
        request_of({"Type": [], "SecretKey": "new-key", "Data": "Validation"}),
        request_of(b"[1"),
        request_of(b"", "GET"),
        request_of({"Type": "Validation"}),
    ],
)
def test_everything_else_is_no_validation(request_: WebhookRequest) -> None:
    assert shake(request_) is None


def test_subject_that_speaks_of_validation_is_an_event() -> None:
    assert shake(request_of({"Type": "Queued", "Subject": "Validation", "SecretKey": "new-key"})) is None


@pytest.mark.parametrize(
    "records", [[{"SecretKey": "new-key"}, {"SecretKey": "x"}], [{"SecretKey": "new-key"}, {}], [{"SecretKey": "new-key"}, 1], []]
)
def test_record_without_the_key_spoils_its_post(records: object) -> None:
    assert isinstance(ADAPTER.verify(request_of(records), TRUST, NOW), Refused)
