"""Are Elastic Email's notifications read where they are the parameters of a GET?"""

from datetime import UTC, datetime

import pytest

from service.esp.elastic_email import ADAPTER
from service.esp_kit.adapter import Handshake, SourceTrust, WebhookRequest
from service.model.errors import UnreadableError
from service.model.events import Delivery
from service.model.words import EventKind, ReportedType

QUERY = (
    "transaction=t-1&to=f.silva%40porto-cork.example&from=a%40example.net&date=1%2f5%2f2026+10%3a35%3a00+AM"
    "&subject=Cork&status=Error&channel=q1&account=ops%40example.net&category=BlackListed&messageid=m-1"
)
TRUST = SourceTrust(secrets=("s",), auth="token")


def delivery_of(query: str, body: bytes = b"") -> Delivery:
    return Delivery(id="0" * 32, source="s", received_at=datetime(2026, 1, 5, 12, 0, tzinfo=UTC), body=body, query=query)


def shake(method: str, query: str) -> Handshake | None:
    assert ADAPTER.handshake is not None
    return ADAPTER.handshake(WebhookRequest(method=method, url="", headers={}, query=query, body=b""), TRUST)


def test_parameters_of_a_get_are_an_event() -> None:
    (event,) = ADAPTER.parse(delivery_of(QUERY)).events
    assert (event.kind, event.reported_type, event.recipient) == (EventKind.BOUNCED, ReportedType.BLOCK, "f.silva@porto-cork.example")
    assert event.occurred_at == datetime(2026, 1, 5, 10, 35, tzinfo=UTC)
    assert (event.message_id, event.campaign, event.esp_class) == ("m-1", "q1", "BlackListed")


def test_get_that_tells_nothing_is_answered_and_no_event() -> None:
    assert shake("GET", "") == Handshake()
    assert shake("GET", "token=x") == Handshake()
    assert shake("GET", QUERY) is None
    assert shake("POST", "") is None


def test_parameters_of_the_address_do_not_hide_a_posted_form() -> None:
    (event,) = ADAPTER.parse(delivery_of("team=7", b"status=Sent&to=a@example.com")).events
    assert (event.kind, event.recipient) == (EventKind.DELIVERED, "a@example.com")


def test_endless_query_is_unreadable_and_no_handshake() -> None:
    assert shake("GET", "a=1&" * 300) is None
    with pytest.raises(UnreadableError):
        ADAPTER.parse(delivery_of("a=1&" * 300))


def test_neither_query_nor_body_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        ADAPTER.parse(delivery_of(""))
