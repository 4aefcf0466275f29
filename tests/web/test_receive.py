"""What does a webhook's sender get, and what is kept of its post?"""

import base64
import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.esp import adapters
from service.esp_kit.adapter import Accepted, Adapter, Handshake, NeedsCertificate, Refused, SourceTrust, Verification, WebhookRequest
from service.esp_kit.sign_keys import SAMPLE_CERTIFICATE_URL
from service.model.errors import InboxUnavailableError, RemoteUnavailableError
from service.model.events import Delivery
from service.outbound.certificates import CertificateStore
from service.settings import SourceSettings
from service.web.app import create_app
from tests.web.worlds import NOW, SECRET, MakeWorld, World

GOOD = f"/webhooks/pm?token={SECRET}"
LIMIT = 10_000


@pytest.fixture
def tight(make_world: MakeWorld) -> World:
    """A world that takes small bodies only."""
    return make_world(body_limit_bytes=LIMIT)


def _basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_a_post_is_kept_byte_for_byte_before_it_is_answered(world: World) -> None:
    body = b'{"RecordType": "Bounce"}\r\n\x00\xff'
    answer = world.client.post(GOOD, data=body, content_type="application/json; charset=utf-8")
    (kept,) = world.kept()
    assert (answer.status_code, answer.json) == (200, {"id": kept.id})
    assert (kept.body, kept.source, kept.esp, kept.received_at) == (body, "pm", "postmark", NOW)
    assert kept.content_type == "application/json; charset=utf-8"


def test_ids_have_32_hex_digits_and_none_comes_twice(world: World) -> None:
    ids = [world.client.post(GOOD, data=b"{}").get_json()["id"] for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(len(text) == 32 and int(text, 16) >> 76 & 0xF == 7 for text in ids)


def test_no_credential_is_kept(world: World) -> None:
    headers = {
        "Cookie": "session=1",
        "X-Hopp-Key": SECRET,
        "X-Forwarded-For": "192.0.2.1",
        "Proxy-Authorization": "Basic x",
        "X-Other": "a",
    }
    world.client.post("/webhooks/pm-header?a=1&b=%20", data=b"{}", headers=headers)
    world.client.post(f"/webhooks/pm?a=1&token={SECRET}&b=2&TOKEN=x&c={SECRET}", data=b"{}", headers={"X-Copy": SECRET})
    world.client.post("/webhooks/pm-basic", data=b"{}", headers=_basic(f"hopp:{SECRET}"))
    kept = {item.source: item for item in world.kept()}
    assert kept["pm-header"].query == "a=1&b=%20"
    assert kept["pm-header"].headers["x-other"] == "a"
    assert kept["pm"].query == "a=1&b=2"
    assert SECRET not in repr(kept)
    assert not {"authorization", "cookie", "proxy-authorization", "x-hopp-key", "x-forwarded-for", "x-copy"} & {
        name for item in kept.values() for name in item.headers
    }


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/webhooks/nobody", {}, 404),
        ("/webhooks/pm", {}, 401),
        ("/webhooks/pm?token=wrong", {}, 401),
        ("/webhooks/pm?token=", {}, 401),
        ("/webhooks/closed?token=", {}, 401),
        ("/webhooks/closed?token=x", {}, 401),
        ("/webhooks/pm-basic", {}, 401),
        ("/webhooks/pm-basic", {"Authorization": "Basic ///"}, 401),
    ],
)
def test_what_proves_nothing_is_refused_and_not_kept(world: World, path: str, headers: dict[str, str], status: int) -> None:
    answer = world.client.post(path, data=b"{}", headers=headers)
    assert (answer.status_code, answer.content_type, world.kept()) == (status, "application/problem+json", ())
    assert set(answer.get_json()) == {"type", "title", "status"}


@pytest.mark.parametrize("source", ["pm-basic", "ses-basic"])
def test_a_sender_that_waits_for_a_challenge_gets_a_401_with_one(world: World, source: str) -> None:
    """SNS sends its credentials only then, though a wrong signature is a 403 to it."""
    answer = world.client.post(f"/webhooks/{source}", data=b"{}")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"plain")),
        ("x-gzip", gzip.compress(b"plain")),
        ("GZIP ", gzip.compress(b"plain")),
        ("deflate", zlib.compress(b"plain")),
        ("deflate", zlib.compress(b"plain", wbits=-15)),
        ("identity", b"plain"),
    ],
)
def test_a_compressed_body_is_kept_plain(world: World, encoding: str, body: bytes) -> None:
    answer = world.client.post(GOOD, data=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, world.kept()[0].body) == (200, b"plain")


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"plain")[:-4], 400),
        ("gzip", gzip.compress(b"a") + gzip.compress(b"b"), 400),
        ("gzip", b"", 400),
        ("deflate", b"\xff\xff", 400),
        ("deflate", b"", 400),
        ("gzip", gzip.compress(b"\0" * 5_000_000), 413),
        ("deflate", zlib.compress(b"\0" * 5_000_000), 413),
        ("br", b"plain", 415),
        ("gzip, gzip", b"plain", 415),
        ("", b"x" * (LIMIT + 1), 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_4xx(tight: World, encoding: str, body: bytes, status: int) -> None:
    answer = tight.client.post(GOOD, data=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, tight.kept()) == (status, ())


def test_a_body_at_the_limit_is_taken(tight: World) -> None:
    assert tight.client.post(GOOD, data=b"x" * LIMIT).status_code == 200
    assert tight.client.post(GOOD, data=gzip.compress(b"\0" * LIMIT), headers={"Content-Encoding": "gzip"}).status_code == 200


class _Breaking(io.RawIOBase):
    """A sender that goes away."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:  # noqa: ANN401 - the base class's own
        raise ConnectionResetError


class _Dripping(io.RawIOBase):
    """A sender whose body comes in small parts."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._left = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the base class's own
        part, self._left = self._left[:3], self._left[3:]
        buffer[: len(part)] = part
        return len(part)


def test_a_body_that_comes_in_parts_is_kept_whole(world: World) -> None:
    body = b"0123456789" * 5
    for length in (str(len(body)), ""):
        environ = {"wsgi.input": _Dripping(body), "CONTENT_LENGTH": length, "wsgi.input_terminated": True}
        assert world.client.post(GOOD, environ_overrides=environ).status_code == 200
    assert [item.body for item in world.kept()] == [body, body]


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"wsgi.input": io.BytesIO(b"short"), "CONTENT_LENGTH": "50"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "two"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "-2"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "9" * 5_000}, 413),
        ({"wsgi.input": io.BytesIO(b"x" * (LIMIT + 1)), "CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 200),
        ({"wsgi.input": io.BytesIO(b"ignored"), "CONTENT_LENGTH": ""}, 200),
        ({"wsgi.input": _Breaking(), "CONTENT_LENGTH": "5"}, 400),
    ],
)
def test_a_body_is_read_as_its_length_says(tight: World, environ: dict[str, Any], status: int) -> None:
    assert tight.client.post(GOOD, environ_overrides=environ).status_code == status


def test_a_declared_length_over_the_limit_is_refused_unread(tight: World) -> None:
    environ = {"wsgi.input": _Breaking(), "CONTENT_LENGTH": str(LIMIT + 1)}
    assert tight.client.post(GOOD, environ_overrides=environ).status_code == 413


@given(
    body=st.binary(max_size=300),
    source=st.sampled_from(["pm", "pm-basic", "pm-header", "ses-basic", "closed", "nobody", "%00", "ünï"]),
    query=st.text(max_size=80),
    headers=st.dictionaries(
        st.sampled_from(["Authorization", "Content-Encoding", "Content-Type", "X-Hopp-Key", "X-Amz-Sns-Rawdelivery"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    ),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_ends_in_a_5xx(world: World, body: bytes, source: str, query: str, headers: dict[str, str]) -> None:
    answer = world.client.post(f"/webhooks/{source}", data=body, query_string=query, headers=headers)
    assert answer.status_code < 500


def test_head_and_get_are_405_where_the_esp_does_not_probe(world: World) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = world.client.open("/webhooks/pm", method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert world.client.put("/webhooks/pm").status_code == 405


class _FullInbox:
    def append(self, delivery: Delivery) -> None:
        raise InboxUnavailableError("full")


def test_an_inbox_that_cannot_keep_it_is_a_503_with_retry_after(world: World) -> None:
    hopp = replace(world.hopp, inbox=_FullInbox())  # type: ignore[arg-type]  # nothing else of it is asked
    answer = create_app(hopp).test_client().post(GOOD, data=b"{}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_refusals_are_counted_by_source_and_reason(world: World) -> None:
    world.client.post("/webhooks/pm?token=wrong", data=b"{}")
    world.client.post(GOOD, data=b"{}")
    text = world.client.get("/metrics").text
    assert 'hopp_webhooks_total{outcome="accepted",source="pm"} 1.0' in text
    assert 'hopp_webhooks_refused_total{reason="the secret is wrong",source="pm"} 1.0' in text


def test_no_secret_and_no_address_is_logged(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.client.post(f"/webhooks/pm-header?token={SECRET}&who=anna@steel.example", data=b"anna@steel.example", headers=_basic("u:hidden"))
    written = "".join(capsys.readouterr())
    assert "webhook_refused" in written
    assert not [word for word in (SECRET, "anna", "hidden", "steel") if word in written]


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
    source = SourceSettings(name="pm", esp="postmark", options={"public_url": (own,) if own else ()})
    world = make_world(sources=(source,), public_url="https://hooks.example")
    seen: list[str] = []

    def verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
        seen.append(request.url)
        return Accepted()

    _client_of(world, _odd_adapter(verify)).post("/webhooks/pm", query_string=query)
    assert seen == [expected]
