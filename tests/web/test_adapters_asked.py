"""What are adapters asked, and what becomes of their answers: certificates, handshakes, failures?"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from service.esp import adapters
from service.esp_kit.adapter import Accepted, Adapter, Handshake, NeedsCertificate, Refused, SourceTrust, Verification, WebhookRequest
from service.esp_kit.sign_keys import SAMPLE_CERTIFICATE_URL
from service.model.errors import RemoteUnavailableError
from service.outbound.certificates import CertificateStore
from service.settings import SourceSettings
from service.web.app import create_app
from tests.web.rows import NOW
from tests.web.worlds import MakeWorld, World

SES = adapters()["ses"]


KEYS = SES.signer.make_keys(b"\1" * 32)


SNS_SOURCE = SourceSettings(name="ses", esp="ses", options=dict(KEYS.trust.options))


def _sns_body() -> bytes:
    request = WebhookRequest(method="POST", url="", headers={}, query="", body=b'{"eventType": "Send"}')
    return SES.signer.sign(request, KEYS, NOW).body


def _sns_world(make_world: MakeWorld, fetch: Callable[[str], bytes]) -> World:
    return make_world(CertificateStore(fetch), sources=(SNS_SOURCE,))


def test_a_certificate_is_fetched_once_and_then_at_hand(make_world: MakeWorld) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return KEYS.trust.certificates[url]

    world = _sns_world(make_world, fetch)
    statuses = [world.client.post("/webhooks/ses", data=_sns_body()).status_code for _ in range(3)]
    assert (statuses, fetched) == ([200, 200, 200], [SAMPLE_CERTIFICATE_URL])


def test_a_certificate_that_cannot_be_fetched_is_a_503(make_world: MakeWorld) -> None:
    """SNS drops a notification after a 4xx, and comes back after a 503."""

    def fetch(url: str) -> bytes:
        raise RemoteUnavailableError("no answer")

    world = _sns_world(make_world, fetch)
    answer = world.client.post("/webhooks/ses", data=_sns_body())
    assert (answer.status_code, world.kept()) == (503, ())


def test_a_wrong_certificate_and_a_changed_body_are_403(make_world: MakeWorld) -> None:
    other = SES.signer.make_keys(b"\2" * 32).trust.certificates
    assert _sns_world(make_world, other.__getitem__).client.post("/webhooks/ses", data=_sns_body()).status_code == 403
    world = _sns_world(make_world, KEYS.trust.certificates.__getitem__)
    assert world.client.post("/webhooks/ses", data=_sns_body().replace(b"Send", b"Sent")).status_code == 403


def _odd_adapter(verify: Any, **changes: Any) -> Adapter:  # noqa: ANN401 - what a test makes up
    return replace(adapters()["postmark"], verify=verify, **changes)


def _client_of(world: World, adapter: Adapter) -> Any:  # noqa: ANN401 - werkzeug's client
    return create_app(replace(world.hopp, adapters={**world.hopp.adapters, "postmark": adapter})).test_client()


def _accept(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return Accepted()


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    if request.method == "OPTIONS":
        return Handshake(headers={"WebHook-Allowed-Origin": "*"})
    return Handshake(body="code") if request.query == "code" else None


def test_a_handshake_is_answered_and_not_kept(world: World) -> None:
    client = _client_of(world, _odd_adapter(_accept, methods=("POST", "GET", "HEAD", "OPTIONS"), handshake=_shake))
    assert client.options("/webhooks/pm").headers["WebHook-Allowed-Origin"] == "*"
    assert client.head("/webhooks/pm").status_code == 200
    assert (client.post("/webhooks/pm?code").text, client.get("/webhooks/pm?code").text) == ("code", "code")
    assert world.kept() == ()


def test_options_without_a_handshake_names_the_methods(world: World) -> None:
    answer = _client_of(world, _odd_adapter(_accept, methods=("POST", "OPTIONS"))).options("/webhooks/pm")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "POST, OPTIONS")


def test_an_event_that_comes_by_get_is_verified_and_kept(world: World) -> None:
    client = _client_of(world, _odd_adapter(_accept, methods=("POST", "GET"), handshake=_shake))
    assert client.get("/webhooks/pm?event=bounce").status_code == 200
    assert [(item.query, item.body) for item in world.kept()] == [("event=bounce", b"")]


def test_a_post_that_is_refused_gets_no_handshake(world: World) -> None:
    client = _client_of(world, _odd_adapter(lambda *_: Refused("no"), handshake=_shake))
    assert client.post("/webhooks/pm?code").status_code == 401


def test_an_adapter_that_fails_is_a_refusal_and_no_5xx(world: World) -> None:
    assert _client_of(world, _odd_adapter(lambda *_: 1 / 0)).post("/webhooks/pm").status_code == 401
    failing = _odd_adapter(_accept, handshake=lambda *_: 1 / 0)
    assert _client_of(world, failing).post("/webhooks/pm").status_code == 200


def test_an_adapter_that_is_never_content_with_its_certificate_is_a_503(make_world: MakeWorld) -> None:
    world = _sns_world(make_world, lambda _url: b"-----BEGIN CERTIFICATE-----")
    stubborn = replace(SES, verify=lambda *_: NeedsCertificate(SAMPLE_CERTIFICATE_URL))
    client = create_app(replace(world.hopp, adapters={"ses": stubborn})).test_client()
    assert client.post("/webhooks/ses", data=b"{}").status_code == 503


@pytest.mark.parametrize(
    ("own", "query", "expected"),
    [
        ("", "", "https://hooks.example/webhooks/pm"),
        ("", "a=1", "https://hooks.example/webhooks/pm?a=1"),
        ("https://u:p@eu.example/in", "a=1", "https://eu.example/in?a=1"),
        ("https://eu.example/in?b=2", "b=2", "https://eu.example/in?b=2"),
    ],
)
def test_adapters_get_the_url_as_the_esp_knows_it(make_world: MakeWorld, own: str, query: str, expected: str) -> None:
    source = SourceSettings(name="pm", esp="postmark", auth="token", options={"public_url": (own,) if own else ()})
    world = make_world(sources=(source,), public_url="https://hooks.example")
    seen: list[str] = []

    def verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
        seen.append(request.url)
        return Accepted()

    _client_of(world, _odd_adapter(verify)).post("/webhooks/pm", query_string=query)
    assert seen == [expected]
