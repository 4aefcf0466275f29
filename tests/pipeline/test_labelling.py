"""What is an event before the database is asked: its key, and texts that fit their columns?"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.model.events import Event
from service.model.words import EventKind
from service.pipeline.fitting import fitted
from service.pipeline.labelling import event_key
from service.store.tables import event_text_limits

LIMITS = event_text_limits()
EVENT = Event(
    kind=EventKind.BOUNCED,
    esp="generic",
    recipient="anna@steel.example",
    occurred_at=datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=UTC),
    message_id="m1@mail.example",
    diagnostic="550 5.1.1 nö",
    identity=("id", "e1", "2026-03-02"),
)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (EVENT, "0700353d8139ac53ba636f2e3eab1b1b"),
        (replace(EVENT, identity=()), "ea93178f9ed3a26e1774f3aba550bc12"),
        (Event(kind=EventKind.OTHER, esp="generic"), "8e43dd5a94688ad7f307919cc1205a84"),
    ],
    ids=["by identity", "by content", "by nothing"],
)
def test_key_is_the_same_in_every_version(event: Event, key: str) -> None:
    """An archive that is replayed years later must meet the keys of its own events."""
    assert event_key(event, "acme").hex() == key


@pytest.mark.parametrize(("name", "length"), LIMITS.items(), ids=list(LIMITS))
def test_text_is_cut_where_it_is_longer_than_its_column(name: str, length: int) -> None:
    """Each name by itself, for they are spelt out where they are looked at."""
    texts: list[dict[str, Any]] = [{name: "x" * length}, {name: "x" * (length + 1)}]
    fits, longer = (replace(EVENT, **text) for text in texts)
    assert fitted(fits) is fits
    assert fitted(longer) == fits
