"""What is SendGrid's own?"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from service.esp.sendgrid import ADAPTER
from service.esp_kit.adapter import Accepted, Refused
from service.esp_kit.sign_keys import ecdsa_keys
from service.model.events import Event
from tests.esp.cases import CHANCE, NOW, delivery_of, request_of

TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
EVENT = {
    "email": "anna.berg@nordwerk.example",
    "timestamp": 1767600123,
    "event": "click",
    "sg_message_id": "m1",
    "sg_event_id": "e1",
    "url": "https://www.example.com/a",
    "attempt": "1",
}


def only(event: dict[str, object]) -> Event:
    return ADAPTER.parse(delivery_of(json.dumps([event]).encode(), {})).events[0]


def test_event_that_comes_again_under_another_id_is_the_same_event() -> None:
    """Event ids change when a batch is posted again; one event was seen under 46 of them."""
    assert only(EVENT).identity == only({**EVENT, "sg_event_id": "e2"}).identity


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sg_message_id", "m2"),
        ("timestamp", 1767600124),
        ("url", "https://www.example.com/b"),
        ("attempt", "2"),
        ("type", "x"),
        ("response", "250"),
    ],
)
def test_event_of_other_content_is_another_event(key: str, value: object) -> None:
    assert only(EVENT).identity != only({**EVENT, key: value}).identity


def test_line_ends_belong_to_what_is_signed() -> None:
    keys = ecdsa_keys(CHANCE)
    request = ADAPTER.signer.sign(request_of(b"[{},\r\n{}]\r\n", {}), keys, NOW)
    assert ADAPTER.verify(request, keys.trust, NOW) == Accepted()
    assert isinstance(ADAPTER.verify(replace(request, body=request.body.rstrip()), keys.trust, NOW), Refused)


def test_timestamp_belongs_to_what_is_signed() -> None:
    keys = ecdsa_keys(CHANCE)
    request = ADAPTER.signer.sign(request_of(b"[]", {}), keys, NOW)
    later = replace(request, headers={**request.headers, TIMESTAMP: str(int(NOW.timestamp()) + 1)})
    assert isinstance(ADAPTER.verify(later, keys.trust, NOW), Refused)
    assert isinstance(ADAPTER.verify(replace(request, headers={}), keys.trust, NOW), Refused)


def test_post_that_is_retried_for_a_day_is_accepted() -> None:
    keys = ecdsa_keys(CHANCE)
    request = ADAPTER.signer.sign(request_of(b"[]", {}), keys, NOW - timedelta(hours=25))
    assert ADAPTER.verify(request, keys.trust, NOW) == Accepted()
