"""What does a webhook's sender get, and what is kept of its post?"""

import base64
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.model.errors import InboxUnavailableError
from service.model.events import Delivery
from service.web.app import create_app
from tests.web.rows import NOW
from tests.web.worlds import SECRET, World

GOOD = f"/webhooks/pm?token={SECRET}"


def _basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_a_post_is_kept_byte_for_byte_before_it_is_answered(world: World) -> None:
    body = b'{"RecordType": "Bounce"}\r\n\x00\xff'
    answer = world.client.post(GOOD, data=body, content_type="application/json; charset=utf-8")
    (kept,) = world.kept()
    assert (answer.status_code, answer.json) == (200, {"id": kept.id})
    assert (kept.body, kept.source, kept.esp, kept.received_at) == (body, "pm", "postmark", NOW)
    assert kept.content_type == "application/json; charset=utf-8"


def test_a_secret_that_the_body_carries_is_not_kept(world: World) -> None:
    answer = world.client.post("/webhooks/sl", json={"Type": "Delivered", "SecretKey": SECRET, "Address": "anna@example.com"})
    (kept,) = world.kept()
    assert answer.status_code == 200
    assert SECRET.encode() not in kept.body
    assert b"anna@example.com" in kept.body


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
    copies = {"X-Copy": SECRET, "X-Original-Uri": f"/webhooks/pm?token={SECRET}"}
    world.client.post(f"/webhooks/pm?a=1&token={SECRET}&b=2&TOKEN=x&c={SECRET}&{SECRET}", data=b"{}", headers=copies)
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


def test_a_mistyped_address_is_logged_with_the_source_that_was_meant(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.client.post("/webhooks/pm-hedaer?token=typed", data=b"{}").status_code == 404
    written = "".join(capsys.readouterr())
    assert "webhook_unknown_source" in written
    assert "meant=pm-header" in written
    assert "typed" not in written


def test_a_refusal_is_logged_with_the_ip_address_of_the_sender(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.client.post("/webhooks/pm?token=wrong", data=b"{}", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert "remote=192.0.2.7" in "".join(capsys.readouterr())
