"""What is Mailgun's own?"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from service.esp.mailgun import ADAPTER
from service.esp_kit.adapter import Accepted, Refused, SourceTrust
from service.esp_kit.sign import token_triple
from service.model.events import OneTimeProof, Parsed
from tests.esp.cases import CASES, NOW, delivery_of, keys_of, request_of, signed

CASE = next(case for case in CASES if str(case) == "mailgun-failed-permanent")
FORM = next(case for case in CASES if str(case) == "mailgun-legacy-bounced")


def parsed(**event: object) -> Parsed:
    payload: dict[str, Any] = json.loads(CASE.body)
    payload["event-data"] |= event
    return ADAPTER.parse(delivery_of(json.dumps(payload).encode(), {}))


def proof(**event: object) -> OneTimeProof:
    found = parsed(**event).proof
    assert found is not None
    return found


def test_retry_vouches_for_the_same_event() -> None:
    assert proof() == proof()


def test_token_taken_for_another_event_is_told_apart() -> None:
    """The signature covers time and token alone: whoever has one valid pair could sign any body."""
    for other in ({"id": "other"}, {"recipient": "x@example.com"}, {"event": "complained"}, {"timestamp": 1767500000}):
        assert proof(**other).token == proof().token
        assert proof(**other).subject != proof().subject


def test_event_id_is_unique_within_a_day_only() -> None:
    today, later, tomorrow = (parsed(timestamp=1767600699.4 + seconds).events[0].identity for seconds in (0, 60, 86_400))
    assert today == later
    assert today != tomorrow


def test_event_of_a_sub_account_may_be_signed_by_the_primary_accounts_key() -> None:
    own, primary = token_triple("own", b"x", NOW), token_triple("primary", b"x", NOW)
    body = json.dumps({"signature": own, "parent-signature": primary, "event-data": {"event": "opened"}}).encode()
    for secret in ("own", "primary"):
        assert ADAPTER.verify(request_of(body, {}), SourceTrust(secrets=(secret,)), NOW) == Accepted()
    assert isinstance(ADAPTER.verify(request_of(body, {}), SourceTrust(secrets=("other",)), NOW), Refused)


def test_two_signatures_have_to_cover_the_same_token() -> None:
    """Else a used token could vouch while a fresh one is shown as the proof."""
    own, primary = token_triple("own", b"fresh", NOW), token_triple("primary", b"used", NOW)
    body = json.dumps({"signature": own, "parent-signature": primary, "event-data": {"event": "opened"}}).encode()
    for secret in ("own", "primary"):
        assert isinstance(ADAPTER.verify(request_of(body, {}), SourceTrust(secrets=(secret,)), NOW), Refused)


def test_token_that_is_verified_is_the_token_of_the_proof() -> None:
    request = signed(FORM)
    found = ADAPTER.parse(delivery_of(request.body, request.headers)).proof
    first_token = FORM.body.split(b"token=")[1].split(b"&")[0].decode()
    assert found is not None
    assert found.token != first_token
    assert ADAPTER.verify(request, keys_of(ADAPTER).trust, NOW) == Accepted()


def test_retry_of_eight_hours_is_accepted() -> None:
    assert ADAPTER.verify(signed(CASE, timedelta(hours=9)), keys_of(ADAPTER).trust, NOW) == Accepted()


def test_changed_token_is_refused() -> None:
    request = signed(CASE)
    token = json.loads(request.body)["signature"]["token"].encode()
    changed = replace(request, body=request.body.replace(token, b"f" * 50))
    assert isinstance(ADAPTER.verify(changed, keys_of(ADAPTER).trust, NOW), Refused)
    assert isinstance(ADAPTER.verify(replace(request, body=b"{"), keys_of(ADAPTER).trust, NOW), Refused)


def test_event_without_a_token_has_no_proof() -> None:
    assert ADAPTER.parse(delivery_of(b'{"event-data":{"event":"opened"}}', {})).proof is None
