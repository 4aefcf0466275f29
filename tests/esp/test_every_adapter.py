"""Does every ESP read its payloads and refuse what it did not send? A new module is found by itself."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from service.cli.samples.load import Sample
from service.esp import adapters
from service.esp_kit.adapter import Accepted, Adapter, Refused, SourceTrust
from service.esp_kit.sign import basic_keys, sign_basic
from service.model.errors import UnreadableError
from service.model.words import EventKind
from tests.esp.cases import ADAPTERS, CASES, CHANCE, NOW, OTHER_CHANCE, delivery_of, keys_of, one_case, request_of, shown_all, signed

SIGNED_BODIES = [adapter for adapter in ADAPTERS if adapter.capabilities.signature == "body"]
SIGNED_TIMES = [adapter for adapter in ADAPTERS if adapter.replay_window_hours is not None]
BATCHES = [case for case in CASES if case.body.lstrip().startswith(b"[") and json.loads(case.body)]
STATIC = [(adapter, scheme) for adapter in ADAPTERS for scheme in adapter.schemes if scheme != "signature"]


def by_name(value: Adapter | str) -> str:
    return value if isinstance(value, str) else value.name


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_adapter_has_payloads_and_is_described(adapter: Adapter) -> None:
    assert any(case.esp == adapter.name for case in CASES)
    assert adapters()[adapter.name] is adapter
    assert adapter.title
    assert adapter.guide
    assert adapter.capabilities.signature in {"body", "token", "static", "none"}
    assert ("signature" in adapter.schemes) == (adapter.capabilities.signature in {"body", "token"})


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_answers_tell_the_esp_what_happened(adapter: Adapter) -> None:
    assert adapter.answers.accepted in range(200, 300)
    assert adapter.answers.refused in range(400, 500)
    assert adapter.answers.unavailable == 429 or adapter.answers.unavailable >= 500


@pytest.mark.parametrize("adapter", SIGNED_TIMES, ids=by_name)
def test_an_unsigned_post_is_said_to_be_unsigned_and_not_to_be_late(adapter: Adapter) -> None:
    """Signing that was never switched on is the mistake that people make; a wrong time is that of a clock."""
    refused = adapter.verify(request_of(b"{}", {"content-type": "application/json"}), keys_of(adapter).trust, NOW)
    assert isinstance(refused, Refused)
    assert "signature" in refused.reason or "not signed" in refused.reason
    assert "time" not in refused.reason


@pytest.mark.parametrize("case", CASES, ids=str)
def test_payload_gives_its_events(case: Sample) -> None:
    expected = dict(case.expected)
    adapter, delivery = adapters()[case.esp], delivery_of(case.body, case.headers)
    if "unreadable" in expected:
        with pytest.raises(UnreadableError, match=expected["unreadable"]):
            adapter.parse(delivery)
    else:
        assert shown_all(adapter.parse(delivery)) == expected


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_broken_items_cost_no_other_item(case: Sample) -> None:
    adapter = adapters()[case.esp]
    intact = adapter.parse(delivery_of(case.body, case.headers))
    broken = adapter.parse(delivery_of(json.dumps([None, *json.loads(case.body), "x", {}]).encode(), case.headers))
    assert broken.events == intact.events
    assert len(broken.problems) == len(intact.problems) + 3


@pytest.mark.parametrize("case", CASES, ids=str)
def test_payload_with_a_true_signature_is_accepted_and_keeps_its_events(case: Sample) -> None:
    adapter, request = adapters()[case.esp], signed(case)
    assert adapter.verify(request, keys_of(adapter).trust, NOW) == Accepted()
    assert _told(adapter, request.body, request.headers) == _told(adapter, case.body, case.headers)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_signature_by_another_key_is_refused(adapter: Adapter) -> None:
    assert isinstance(adapter.verify(signed(one_case(adapter)), keys_of(adapter, OTHER_CHANCE).trust, NOW), Refused)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_second_secret_of_a_source_verifies_too(adapter: Adapter) -> None:
    trust, other = keys_of(adapter).trust, keys_of(adapter, OTHER_CHANCE).trust
    both = replace(trust, secrets=(*other.secrets, *trust.secrets))
    assert adapter.verify(signed(one_case(adapter)), both, NOW) == Accepted()


@pytest.mark.parametrize("adapter", SIGNED_BODIES, ids=by_name)
def test_changed_byte_is_refused(adapter: Adapter) -> None:
    request = signed(one_case(adapter))
    changed = replace(request, body=request.body.replace(b".example", b".exbmple", 1))
    assert changed.body != request.body
    assert isinstance(adapter.verify(changed, keys_of(adapter).trust, NOW), Refused)


@pytest.mark.parametrize("adapter", SIGNED_TIMES, ids=by_name)
@pytest.mark.parametrize("direction", [1, -1], ids=["old", "ahead"])
def test_signed_time_outside_the_window_is_refused(adapter: Adapter, direction: int) -> None:
    age = direction * timedelta(hours=(adapter.replay_window_hours or 0) + 0.1)
    assert isinstance(adapter.verify(signed(one_case(adapter), age), keys_of(adapter).trust, NOW), Refused)


@pytest.mark.parametrize("adapter", SIGNED_TIMES, ids=by_name)
def test_retry_inside_the_window_is_accepted(adapter: Adapter) -> None:
    age = timedelta(hours=(adapter.replay_window_hours or 0) * 0.98)
    assert adapter.verify(signed(one_case(adapter), age), keys_of(adapter).trust, NOW) == Accepted()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
@pytest.mark.parametrize("secrets", [(), ("",)], ids=["none", "empty"])
def test_source_without_secrets_refuses_everything(adapter: Adapter, secrets: tuple[str, ...]) -> None:
    body = one_case(adapter).body
    requests = [signed(one_case(adapter)), request_of(body, {}), request_of(body, {"x-secret": "", "authorization": "Basic "})]
    for scheme in adapter.schemes:
        auth = {"signature": None, "header": "header:x-secret"}.get(scheme, scheme)
        for request in requests:
            assert isinstance(adapter.verify(request, SourceTrust(secrets=secrets, auth=auth), NOW), Refused)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_request_without_any_proof_is_refused(adapter: Adapter) -> None:
    for case in (case for case in CASES if case.esp == adapter.name):
        assert isinstance(adapter.verify(request_of(case.body, case.headers), keys_of(adapter).trust, NOW), Refused)


@pytest.mark.parametrize(("adapter", "scheme"), STATIC, ids=by_name)
def test_static_secret_is_accepted_and_another_refused(adapter: Adapter, scheme: str) -> None:
    keys = basic_keys(CHANCE)
    auth = "header:X-Secret" if scheme == "header" else scheme
    right, wrong = SourceTrust(secrets=("other", keys.private), auth=auth), SourceTrust(secrets=("other",), auth=auth)
    proven = sign_basic(request_of(b"{}", {"x-secret": keys.private}), keys, NOW)
    proven = replace(proven, query="&".join(f"{name}={keys.private}" for name in ("token", "code")))
    assert adapter.verify(proven, right, NOW) == Accepted()
    assert isinstance(adapter.verify(proven, wrong, NOW), Refused)


def _told(adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> list[tuple[EventKind, str | None]]:
    try:
        return [(event.kind, event.recipient) for event in adapter.parse(delivery_of(body, headers)).events]
    except UnreadableError:
        return []
