"""By what is an event known whose ESP gives it no id of its own, and by what if it does?"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from service.esp import adapters
from service.model.events import Event
from tests.esp.cases import delivery_of

MAILJET = {"event": "click", "MessageID": 9007199254741777, "time": 1767602400, "email": "a@example.com", "url": "u1", "error": "e1"}
BREVO = {"event": "click", "message-id": "<m1@example.com>", "ts_event": 1767604831, "email": "a@example.com", "link": "u1", "camp_id": 1}
MANDRILL = {"event": "click", "_id": "m1", "ts": 1767601800, "url": "u1", "msg": {"email": "a@example.com"}}
FORWARD_EMAIL = {
    "email_id": "m1",
    "recipient": "a@example.com",
    "bounced_at": "2026-01-05T10:15:00.100Z",
    "response": "550 5.1.1 no",
    "bounce": {},
}
UNISENDER_GO = {"status": "clicked", "job_id": "j1", "event_time": "2026-01-05 09:55:10", "email": "a@example.com", "url": "u1"}
SPARKPOST = {"type": "click", "event_id": "1", "message_id": "m1", "timestamp": "1767601200", "rcpt_to": "a@example.com"}
MAILTRAP = {"event": "click", "event_id": "1", "message_id": "m1", "timestamp": 1767606000, "email": "a@example.com"}
POSTAL = {"event": "MessageLoaded", "uuid": "1", "timestamp": 1767606312.118, "payload": {"message": {"to": "a@example.com"}}}
AZURE = {"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent", "eventTime": "2026-01-05T10:02:03Z", "data": {}}


def only(esp: str, fields: dict[str, Any]) -> Event:
    payload: object = [{"msys": {"message_event": fields}}] if esp == "sparkpost" else fields
    body = json.dumps(payload)
    if esp == "mandrill":
        return adapters()[esp].parse(delivery_of(urlencode({"mandrill_events": body}).encode(), {})).events[0]
    return adapters()[esp].parse(delivery_of(body.encode(), {})).events[0]


@pytest.mark.parametrize(
    ("esp", "fields", "key", "value"),
    [
        ("mailjet", MAILJET, "mj_contact_id", 8),
        ("brevo", BREVO, "id", 552),
        ("mandrill", MANDRILL, "location", {"country": "Germany"}),
        ("forward_email", FORWARD_EMAIL, "message", "in other words"),
        ("unisender_go", UNISENDER_GO, "comment", "again"),
        ("sparkpost", SPARKPOST, "timestamp", "1767601999"),
        ("mailtrap", MAILTRAP, "timestamp", 1767606999),
        ("postal", POSTAL, "timestamp", 1767606999.5),
        ("azure", AZURE, "eventTime", "2026-01-05T11:02:03Z"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_event_that_comes_again_is_the_same_event(esp: str, fields: dict[str, Any], key: str, value: object) -> None:
    assert only(esp, {**fields, key: value}).identity == only(esp, fields).identity


@pytest.mark.parametrize(
    ("esp", "fields", "changes"),
    [
        ("mailjet", MAILJET, {"event": "open", "MessageID": 9007199254741778, "time": 1767602401, "url": "u2", "error": "e2"}),
        ("brevo", BREVO, {"event": "opened", "message-id": "<m2@example.com>", "ts_event": 1767604832, "link": "u2", "camp_id": 2}),
        ("mandrill", MANDRILL, {"event": "open", "_id": "m2", "ts": 1767601801, "url": "u2"}),
        ("forward_email", FORWARD_EMAIL, {"email_id": "m2", "bounced_at": "2026-01-05T10:15:00.200Z", "response": "550 5.7.1 no"}),
        ("unisender_go", UNISENDER_GO, {"status": "opened", "job_id": "j2", "event_time": "2026-01-05 09:55:11", "url": "u2"}),
        ("sparkpost", SPARKPOST, {"event_id": "2"}),
        ("mailtrap", MAILTRAP, {"event_id": "2"}),
        ("postal", POSTAL, {"uuid": "2"}),
        ("azure", AZURE, {"id": "2"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_event_of_other_content_is_another_event(esp: str, fields: dict[str, Any], changes: dict[str, object]) -> None:
    """A 64-bit id that went through a double would make the two of Mailjet one."""
    for key, value in changes.items():
        assert only(esp, {**fields, key: value}).identity != only(esp, fields).identity, key
