"""Is what the benchmarks post what an ESP would post?"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bench.traffic import BATCH_EVENTS, HOT_DOMAIN, SENDERS, Esp, Mail, deliveries, posts
from service.esp import adapters
from service.esp_kit.adapter import Accepted, WebhookRequest
from service.model.events import Delivery

TARGET = "http://127.0.0.1:8000/webhooks/here"


def taken_apart(post: bytes) -> WebhookRequest:
    head, _, body = post.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    assert line == "POST /webhooks/here HTTP/1.1"
    headers = dict(field.split(": ", maxsplit=1) for field in fields)
    assert int(headers["content-length"]) == len(body)
    return WebhookRequest(method="POST", url=TARGET, headers=headers, query="", body=body)


def delivered(request: WebhookRequest) -> Delivery:
    return Delivery(
        id="0" * 32,
        source="s",
        esp="e",
        received_at=datetime.now(UTC),
        body=request.body,
        content_type="application/json",
        headers=request.headers,
    )


@pytest.mark.parametrize(("esp", "each"), [("mailgun", 1), ("sendgrid", BATCH_EVENTS)])
def test_every_post_is_signed_and_holds_events_of_its_own(esp: Esp, each: int) -> None:
    requests = [taken_apart(post) for post in posts(esp, TARGET, seed=7, count=3)]
    adapter = adapters()[esp]
    now = datetime.now(UTC)
    assert all(isinstance(adapter.verify(request, SENDERS[esp].keys.trust, now), Accepted) for request in requests)
    events = [event for request in requests for event in adapter.parse(delivered(request)).events]
    assert len({event.identity for event in events}) == 3 * each


def test_most_mail_goes_to_the_hot_domain_and_time_runs_on() -> None:
    mail = Mail(hot_share=0.8, newest=datetime(2026, 3, 2, tzinfo=UTC))
    found = deliveries(range(1_000), seed=1, total=1_000, mail=mail)
    moments = [delivery.received_at for delivery in found]
    assert moments == sorted(moments)
    events = [event for delivery in found for event in _events(delivery)]
    assert 750 < sum((recipient or "").endswith(f"@{HOT_DOMAIN}") for recipient in events) < 850


def _events(delivery: Delivery) -> Iterator[str | None]:
    return (event.recipient for event in adapters()[delivery.esp].parse(delivery).events)


def test_parts_of_a_stream_differ_whatever_is_made_first() -> None:
    mail = Mail(newest=datetime(2026, 3, 2, tzinfo=UTC))
    first, second = (deliveries(range(start, start + 10), seed=1, total=20, mail=mail) for start in (0, 10))
    assert len({delivery.body for delivery in (*first, *second)}) == 20
