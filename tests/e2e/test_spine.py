"""From signed webhooks of several ESPs over HTTP into gunicorn, to one alert out of the alert endpoint."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import urllib3

from tests.e2e.posting import Sender, sender
from tests.e2e.serving import Service, serving, wait_until

pytestmark = pytest.mark.enable_socket
_DOMAIN = "acme-steel.example"
_PEOPLE = ("anna", "bert", "cleo", "dora")
# The wait for the denominator is minutes in life; the decision is the same.
_POLICY = "[policy.alert]\nhold_min_seconds = 1\nhold_max_seconds = 1\n"
_DAY_SECONDS = 86_400


def _iso(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


def _refusals(now: int) -> dict[str, bytes]:
    """One refused person each, as four ESPs tell it."""
    answer = "550 5.1.1 User unknown"
    bodies: dict[str, Any] = {
        "sendgrid": [
            {
                "email": f"anna@{_DOMAIN}", "timestamp": now, "event": "bounce", "type": "bounce", "status": "5.1.1", "reason": answer,
                "sg_event_id": "e1", "sg_message_id": "m1.recvd-1",
            }
        ],
        "postmark": {
            "RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "TypeCode": 1, "MessageID": "m2", "Details": f"smtp;{answer}",
            "Email": f"bert@{_DOMAIN}", "BouncedAt": _iso(0), "Inactive": True,
        },
        "mailgun": {
            "event-data": {
                "id": "mg1", "event": "failed", "severity": "permanent", "reason": "bounce", "timestamp": float(now),
                "recipient": f"cleo@{_DOMAIN}", "delivery-status": {"code": 550, "message": answer},
                "message": {"headers": {"message-id": "m3@mg.example.com"}},
            }
        },
        "generic": {
            "kind": "bounced", "recipient": f"dora@{_DOMAIN}", "occurred_at": _iso(0), "reported_type": "hard", "diagnostic": answer,
        },
    }  # fmt: skip
    return {esp: orjson.dumps(body) for esp, body in bodies.items()}


def _items(service: Service, token: str, path: str) -> list[dict[str, Any]]:
    answer = urllib3.request("GET", f"{service.url}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status == 200, answer.data
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture(params=["sqlite", "postgresql"])
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    url = request.getfixturevalue("postgres_url")
    return {"HOPP_DATABASE": url, "HOPP_INBOX": url}


def test_signed_webhooks_of_four_esps_become_one_alert(tmp_path: Path, variables: dict[str, str]) -> None:
    senders: dict[str, Sender] = {esp: sender(esp) for esp in ("sendgrid", "postmark", "mailgun", "generic")}
    config = "".join(one.config for one in senders.values()) + _POLICY
    with serving(tmp_path, config, **variables) as service:
        token = service.command("token", "new", "--role", "reader", "--name", "test").strip()
        delivered = [
            {"kind": "delivered", "recipient": f"{person}@{_DOMAIN}", "occurred_at": _iso(7 * _DAY_SECONDS), "message_id": f"old-{person}"}
            for person in _PEOPLE
        ]
        assert senders["generic"].post(service.url, orjson.dumps(delivered)) == 200
        for esp, body in _refusals(int(time.time())).items():
            assert senders[esp].post(service.url, body) == 200, esp

        wait_until(lambda: bool(_items(service, token, "alerts")), "an alert fires")
        [alert] = _items(service, token, "alerts")

    assert (alert["domain"], alert["state"], alert["reported_hard"], alert["attempts"]) == (_DOMAIN, "firing", 4, 4)
    assert alert["rate"] == 1.0
