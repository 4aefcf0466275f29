"""Builders of deliveries, and how a test empties an inbox."""

from datetime import UTC, datetime
from uuid import uuid4

from service.inbox.port import Inbox
from service.model.events import Delivery

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def delivery(body: bytes = b"{}", received_at: datetime = NOW) -> Delivery:
    """A delivery like no other."""
    return Delivery(id=uuid4().hex, source="acme", esp="generic", received_at=received_at, body=body, headers={"x-a": "b"}, query="q=1")


def taken(inbox: Inbox, limit: int = 100) -> list[Delivery]:
    """Everything that waits, taken for good, batch by batch."""
    found: list[Delivery] = []
    while True:
        with inbox.take(limit) as batch:
            if not batch.deliveries:
                return found
            found.extend(batch.deliveries)
            batch.done()
