"""Is what ESPs post what the API then tells, with the same figures everywhere?"""

import json
from dataclasses import replace
from datetime import timedelta
from threading import Event as Signal

from sqlalchemy import text

from service.esp import adapters
from service.esp_kit.adapter import WebhookRequest
from service.model.moments import iso, to_us
from service.model.words import Role
from service.settings import SourceSettings
from service.web.app import create_app
from tests.web.rows import NOW
from tests.web.worlds import MakeWorld, World

SENDGRID = adapters()["sendgrid"]
KEYS = SENDGRID.signer.make_keys(b"\7" * 32)
SOURCE = SourceSettings(name="acme", esp="sendgrid", secrets=KEYS.trust.secrets)
PEOPLE = 12


def _post(world: World, kind: str, people: int, minutes_ago: int) -> int:
    occurred = int((world.hopp.now() - timedelta(minutes=minutes_ago)).timestamp())
    extra = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 user unknown"} if kind == "bounce" else {}
    events = [
        {
            "email": f"person{number}@steel.example",
            "timestamp": occurred,
            "event": kind,
            "sg_event_id": f"{kind}{number}-{occurred}",
            **extra,
        }
        for number in range(people)
    ]
    url = f"{world.hopp.settings.public_url}/webhooks/acme"
    bare = WebhookRequest(method="POST", url=url, headers={"content-type": "application/json"}, query="", body=json.dumps(events).encode())
    signed = SENDGRID.signer.sign(bare, KEYS, world.hopp.now())
    return world.client.post("/webhooks/acme", data=signed.body, headers=dict(signed.headers)).status_code


def _at(world: World, minutes: int) -> World:
    """The same world, some minutes after NOW."""
    hopp = replace(world.hopp, now=lambda: NOW + timedelta(minutes=minutes))
    return replace(world, hopp=hopp, client=create_app(hopp).test_client())


def test_people_who_were_fine_and_are_refused_become_one_alert_with_the_same_figures_everywhere(make_world: MakeWorld) -> None:
    world = make_world(sources=(SOURCE,))
    assert _post(world, "delivered", PEOPLE, minutes_ago=60 * 24 * 5) == 200
    assert _post(world, "delivered", 4, minutes_ago=20) == 200
    assert _post(world, "bounce", PEOPLE, minutes_ago=10) == 200
    world.hopp.worker(Signal()).step()
    later = _at(world, 31)
    later.hopp.worker(Signal()).step()

    (alert,) = later.ask("/api/v1/alerts?state=firing&source=acme").get_json()["items"]
    assert (alert["attempts"], alert["reported_hard"], alert["rate"]) == (16, 12, 0.75)
    detail = later.ask(f"/api/v1/alerts/{alert['id']}").get_json()
    assert detail["diagnostics"][0]["count"] == PEOPLE
    assert len(detail["sample_events"]) == PEOPLE
    assert [item["reason"] for item in detail["transitions"]] == ["opened"]

    shown = later.ask("/api/v1/domains/steel.example").get_json()
    window = [hour for hour in shown["hourly"] if detail["evidence"]["window_start"] <= hour["hour"] < alert["window_end"]]
    assert sum(hour["attempts"] for hour in window) == alert["attempts"]
    assert sum(hour["reported_hard"] for hour in window) == alert["reported_hard"]
    with later.hopp.database.read() as connection:
        view = connection.execute(text("SELECT attempts, reported_hard, rate, baseline, threshold, window_end FROM v_alert")).one()
    assert tuple(view) == tuple(alert[name] for name in ("attempts", "reported_hard", "rate", "baseline", "threshold", "window_end"))
    assert shown["open_alert"]["id"] == alert["id"]
    assert 'hopp_alerts{severity="critical",state="firing"} 1.0' in later.client.get("/metrics").text
    bounced = later.ask("/api/v1/events?kind=bounced&recipient=person3@steel.example", Role.OPERATOR).get_json()
    assert [event["occurred_at"] for event in bounced["items"]] == [iso(to_us(NOW - timedelta(minutes=10)))]


def test_what_cannot_be_read_is_found_in_quarantine(make_world: MakeWorld) -> None:
    world = make_world(sources=(SOURCE,))
    bare = WebhookRequest(method="POST", url="", headers={}, query="", body=b"not json, from anna@steel.example")
    signed = SENDGRID.signer.sign(bare, KEYS, NOW)
    given = world.client.post("/webhooks/acme", data=signed.body, headers=dict(signed.headers)).get_json()["id"]
    world.hopp.worker(Signal()).step()
    (found,) = world.ask("/api/v1/deliveries?state=quarantined").get_json()["items"]
    assert (found["id"], found["source"], found["event_count"]) == (given, "acme", 0)
    assert found["error"]
    assert world.ask(f"/api/v1/deliveries/{given}", Role.OPERATOR).get_json()["body"] == "not json, from anna@steel.example"
