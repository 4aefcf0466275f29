"""What is Azure's own?"""

import json
from dataclasses import replace

import pytest

from service.esp.azure import ADAPTER
from service.esp_kit.adapter import Handshake, SourceTrust, WebhookRequest
from tests.esp.cases import CASES, request_of

VALIDATION = next(case for case in CASES if str(case) == "azure-subscription-validation")
BOUNCE = next(case for case in CASES if str(case) == "azure-bounced")
TRUST = SourceTrust(secrets=("s3cret",), auth="token")
ORIGIN = {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120"}


def shake(request: WebhookRequest, trust: SourceTrust = TRUST) -> Handshake | None:
    assert ADAPTER.handshake is not None
    return ADAPTER.handshake(request, trust)


def asked(headers: dict[str, str], query: str = "token=s3cret") -> WebhookRequest:
    return replace(request_of(b"", headers), method="OPTIONS", query=query)


def test_code_of_a_validation_is_given_back_with_200() -> None:
    code = json.loads(VALIDATION.body)[0]["data"]["validationCode"]
    answer = shake(request_of(VALIDATION.body, VALIDATION.headers))
    assert answer == Handshake(status=200, body=json.dumps({"validationResponse": code}), content_type="application/json")


@pytest.mark.parametrize(
    "body",
    [
        BOUNCE.body,
        BOUNCE.body.replace(b"news@example.com", b"Microsoft.EventGrid.SubscriptionValidationEvent"),
        b"Microsoft.EventGrid.SubscriptionValidationEvent",
        b'[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":7.5e300}}, {}]',
        b'[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":[]}]',
        b'["Microsoft.EventGrid.SubscriptionValidationEvent"]',
    ],
)
def test_anything_else_is_no_handshake(body: bytes) -> None:
    assert shake(request_of(body, {})) is None


def test_origin_that_asks_by_options_with_the_secret_is_allowed() -> None:
    answer = shake(asked(ORIGIN))
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert answer.headers["WebHook-Allowed-Rate"] == "120"


@pytest.mark.parametrize("query", ["", "token=wrong"])
def test_origin_that_asks_without_the_secret_is_not_allowed(query: str) -> None:
    assert shake(asked(ORIGIN, query)) is None


@pytest.mark.parametrize("origin", ["", "a\r\nX-Evil: 1", "\ud800", "é", "a" * 501])
def test_origin_that_is_no_name_is_not_given_back(origin: str) -> None:
    assert shake(asked({"webhook-request-origin": origin})) is None


def test_rate_that_is_no_number_is_not_given_back() -> None:
    answer = shake(asked({**ORIGIN, "webhook-request-rate": "all"}))
    assert answer is not None
    assert "WebHook-Allowed-Rate" not in answer.headers


def test_options_without_an_origin_and_get_are_no_handshake() -> None:
    assert shake(asked({})) is None
    assert shake(replace(asked(ORIGIN), method="GET")) is None
    assert "OPTIONS" in ADAPTER.methods
