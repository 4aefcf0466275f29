"""Is SMTP2GO's event named whatever stands around its colon?"""

import json

import pytest

from service.esp.smtp2go import ADAPTER
from tests.esp.cases import delivery_of


@pytest.mark.parametrize(("written", "named"), [("bounce: hard", "bounce"), (":", ":"), (":hard", ":hard"), ("open:", "open")])
def test_an_event_is_never_without_a_name(written: str, named: str) -> None:
    """An empty name would be none."""
    (event,) = ADAPTER.parse(delivery_of(json.dumps({"event": written}).encode(), {})).events
    assert event.esp_event_type == named
