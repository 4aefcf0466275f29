"""What is Brevo's own?"""

import json

import pytest

from service.esp.brevo import ADAPTER
from tests.esp.cases import delivery_of


@pytest.mark.parametrize("custom", ["{crm}", '{"crm":', "crm=31", "[1]"])
def test_metadata_that_is_no_json_object_stays_one_text(custom: str) -> None:
    body = json.dumps({"event": "delivered", "email": "a@example.com", "X-Mailin-custom": custom}).encode()
    assert ADAPTER.parse(delivery_of(body, {})).events[0].metadata == {"X-Mailin-custom": custom}
