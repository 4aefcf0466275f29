"""Does a request carry a secret that the source was configured with?"""

import base64
from datetime import UTC, datetime

import pytest

from service.esp_kit.adapter import Accepted, Refused, SourceTrust, WebhookRequest
from service.esp_kit.verify_static import CHALLENGE, checked, verify_in_body, verify_static

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def request(headers: dict[str, str] | None = None, query: str = "") -> WebhookRequest:
    return WebhookRequest(method="POST", url="https://hooks.example.com/x", headers=headers or {}, query=query, body=b"")


def basic(credentials: bytes, scheme: str = "Basic") -> WebhookRequest:
    return request({"authorization": f"{scheme} {base64.b64encode(credentials).decode()}"})


def trust(auth: str, *secrets: str) -> SourceTrust:
    return SourceTrust(secrets=secrets, auth=auth)


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        (basic(b"hopp:s3cret"), trust("basic", "other:x", "hopp:s3cret")),
        (basic("hopp:schlüssel".encode(), "bAsIc"), trust("basic", "hopp:schlüssel")),
        (request({"x-secret": "s3cret"}), trust("header:X-Secret", "other", "s3cret")),
        (request({"authorization": "Bearer s3cret"}), trust("header:Authorization", "s3cret")),
        (request({"authorization": "Bearer s3cret"}), trust("header:authorization", "Bearer s3cret")),
        (request({"x-secret": "schlüssel".encode().decode("latin-1")}), trust("header:x-secret", "schlüssel")),
        (request(query="a=b&token=s3%20cret"), trust("token", "s3 cret")),
        (request(), trust("none")),
    ],
)
def test_right_secret_is_accepted(asked: WebhookRequest, source: SourceTrust) -> None:
    assert verify_static(asked, source) == Accepted()


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        (request(), trust("basic", "hopp:s3cret")),
        (basic(b"hopp:wrong"), trust("basic", "hopp:s3cret")),
        (basic(b"hopp:s3cret", "Digest"), trust("basic", "hopp:s3cret")),
        (request({"authorization": "Basic ???"}), trust("basic", "hopp:s3cret")),
        (basic(b""), trust("basic", "")),
        (request({"x-secret": "s3cret"}), trust("header:x-other", "s3cret")),
        (request({"x-secret": "wrong"}), trust("header:x-secret", "s3cret")),
        (request({"": "s3cret"}), trust("header:", "other")),
        (request(query="token=wrong"), trust("token", "s3cret")),
        (request(query="token="), trust("token", "s3cret")),
        (request(query="tok=s3cret"), trust("token", "s3cret")),
        (request(query="token=s3cret&" * 200), trust("token", "s3cret")),
        (request(query="token=s3cret"), trust("nonsense", "s3cret")),
        (request(query="token=s3cret"), trust("token")),
        (request({"x-secret": ""}), trust("header:x-secret", "")),
    ],
)
def test_anything_else_is_refused(asked: WebhookRequest, source: SourceTrust) -> None:
    assert isinstance(verify_static(asked, source), Refused)


def test_sender_without_credentials_is_asked_for_them() -> None:
    """SNS sends user and password only after a 401 that asks for them."""
    refused = verify_static(request(), trust("basic", "hopp:s3cret"))
    assert isinstance(refused, Refused)
    assert refused.challenge == CHALLENGE


def test_token_may_have_another_name() -> None:
    verify = checked(query_name="code")
    assert verify(request(query="code=s3cret"), trust("token", "s3cret"), NOW) == Accepted()
    assert isinstance(verify(request(query="token=s3cret"), trust("token", "s3cret"), NOW), Refused)


def test_esp_that_does_not_sign_needs_a_scheme() -> None:
    assert isinstance(checked()(request(), SourceTrust(secrets=("s3cret",)), NOW), Refused)


def test_configured_scheme_stands_in_for_the_signature() -> None:
    verify = checked(lambda asked, source, now: Accepted())
    assert verify(request(), SourceTrust(secrets=()), NOW) == Accepted()
    assert isinstance(verify(request(), trust("token", "s3cret"), NOW), Refused)


def test_secret_in_the_body_is_one_of_the_sources() -> None:
    assert verify_in_body("s3cret", ("other", "s3cret")) == Accepted()
    assert isinstance(verify_in_body("wrong", ("s3cret",)), Refused)
    assert isinstance(verify_in_body(None, ("s3cret",)), Refused)
    assert isinstance(verify_in_body("", ("",)), Refused)
