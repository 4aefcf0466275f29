"""What do the ESPs post in a benchmark? Signed webhooks of Mailgun (one event) and SendGrid (1,000 events), no two alike.

Most of the mail goes to one domain, one event in twenty is a bounce, and time runs on from event to event.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from service.esp import adapters
from service.esp_kit.adapter import WebhookRequest
from service.model.events import Delivery
from service.web.delivery_ids import delivery_id
from tests.e2e.posting import Sender, sender

Esp = Literal["mailgun", "sendgrid"]
SENDERS: dict[Esp, Sender] = {"mailgun": sender("mailgun"), "sendgrid": sender("sendgrid")}
HOT_DOMAIN = "big.example"
BATCH_EVENTS = 1_000
_BOUNCE_SHARE = 0.05
_STRIDE = 7_368_787  # a prime: people come in no order that an index would like
_REPLY = "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Whom the events are about, and when they happen."""

    hot_share: float = 0.8  # of all mail, to one domain
    domains: int = 2_000
    people: int = 1_000_000  # a campaign mails each of them once, then each once more
    newest: datetime | None = None  # of the last event; the moment of making where None
    spread: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Occasion:
    """One mail and what became of it."""

    key: str
    address: str
    domain: str
    at: datetime
    is_bounce: bool


def _occasions(mail: Mail, seed: int, numbers: range, total: int) -> Iterator[_Occasion]:
    chance = random.Random(f"{seed}-{numbers.start}")
    newest = mail.newest or datetime.now(UTC)
    for number in numbers:
        domain = HOT_DOMAIN if chance.random() < mail.hot_share else f"d{chance.randrange(mail.domains)}.example"
        at = newest - mail.spread * (1 - (number + 1) / total)
        is_bounce = chance.random() < _BOUNCE_SHARE
        person = (number * _STRIDE + seed) % mail.people
        yield _Occasion(f"{seed}-{number}", f"p{person}@{domain}", domain, at, is_bounce)


def mailgun_bodies(mail: Mail, seed: int, numbers: range, total: int) -> Iterator[dict[str, Any]]:
    """Bodies of single events, unsigned."""
    for occasion in _occasions(mail, seed, numbers, total):
        event = {
            "id": occasion.key,
            "event": "delivered",
            "timestamp": occasion.at.timestamp(),
            "log-level": "info",
            "recipient": occasion.address,
            "recipient-domain": occasion.domain,
            "envelope": {
                "sender": f"bounce+{occasion.key}@mg.example.com",
                "transport": "smtp",
                "targets": occasion.address,
                "sending-ip": "192.0.2.60",
            },
            "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
            "delivery-status": {
                "code": 250,
                "message": "OK",
                "description": "",
                "mx-host": f"mx.{occasion.domain}",
                "attempt-no": 1,
                "session-seconds": 0.41,
                "tls": True,
                "utf8": True,
                "certificate-verified": True,
            },
            "message": {
                "headers": {
                    "message-id": f"{occasion.key}.spring@mg.example.com",
                    "from": "Example News <news@example.com>",
                    "to": occasion.address,
                    "subject": "The spring range is here",
                },
                "attachments": [],
                "size": 18_211,
            },
            "storage": {"region": "eu", "key": "", "url": ""},
            "tags": ["news", "spring"],
            "campaigns": [],
            "user-variables": {"crm": occasion.key},
        }
        if occasion.is_bounce:
            event |= {"event": "failed", "severity": "permanent", "reason": "bounce", "log-level": "error"}
            reply = _REPLY.format(address=occasion.address)
            event["delivery-status"] = {"code": 550, "message": reply, "mx-host": f"mx.{occasion.domain}", "attempt-no": 1}
        yield {"signature": {"timestamp": "1", "token": occasion.key.ljust(50, "t"), "signature": "0" * 64}, "event-data": event}


def sendgrid_events(mail: Mail, seed: int, numbers: range, total: int) -> Iterator[dict[str, Any]]:
    """The elements of batches."""
    for occasion in _occasions(mail, seed, numbers, total):
        event = {
            "email": occasion.address,
            "timestamp": int(occasion.at.timestamp()),
            "smtp-id": f"<{occasion.key}@geopod-ismtpd-1>",
            "event": "delivered",
            "category": ["news", "spring"],
            "sg_event_id": occasion.key.ljust(24, "e"),
            "sg_message_id": f"{occasion.key}.recvd-7d8-abc-1-65-3E.0",
            "response": "250 2.0.0 OK",
            "ip": "192.0.2.61",
            "tls": 1,
        }
        if occasion.is_bounce:
            event |= {"event": "bounce", "type": "bounce", "reason": _REPLY.format(address=occasion.address), "status": "5.1.1"}
            event |= {"bounce_classification": "Invalid Address"}
            del event["response"]
        yield event


def posts(esp: Esp, target: str, *, seed: int, count: int, mail: Mail | None = None) -> Iterator[bytes]:
    """Whole signed HTTP requests to this address, ready to be sent."""
    mail = replace(mail or Mail(), newest=datetime.now(UTC))
    each = BATCH_EVENTS if esp == "sendgrid" else 1
    bodies: Iterator[bytes]
    if esp == "mailgun":
        bodies = map(orjson.dumps, mailgun_bodies(mail, seed, range(count), count))
    else:
        batches = (range(start * each, (start + 1) * each) for start in range(count))
        bodies = (orjson.dumps(list(sendgrid_events(mail, seed, numbers, count * each))) for numbers in batches)
    for body in bodies:
        yield _request(esp, target, body)


def _request(esp: Esp, target: str, body: bytes) -> bytes:
    asked = WebhookRequest(method="POST", url=target, headers={"content-type": "application/json"}, query="", body=body)
    signed = adapters()[esp].signer.sign(asked, SENDERS[esp].keys, datetime.now(UTC))
    place = urlsplit(target)
    headers = {"host": place.netloc, "user-agent": "bench", **signed.headers, "content-length": str(len(signed.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {place.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + signed.body


def deliveries(numbers: range, *, seed: int, total: int, mail: Mail) -> list[Delivery]:
    """Single events of Mailgun as they wait in the inbox, received two seconds after they happened; nobody verifies them again."""
    found = []
    for body in mailgun_bodies(mail, seed, numbers, total):
        received_at = datetime.fromtimestamp(body["event-data"]["timestamp"] + 2, UTC)
        found.append(
            Delivery(
                id=delivery_id(received_at),
                source=SENDERS["mailgun"].source,
                esp="mailgun",
                received_at=received_at,
                body=orjson.dumps(body),
                content_type="application/json",
            )
        )
    return found


CONFIG = "".join(item.config for item in SENDERS.values())
