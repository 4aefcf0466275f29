"""How does each of the four ESPs write down what became of a mail? Bodies as they post them, before they are signed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import orjson

from service.cli.demo.mails import Fate, Mail
from service.model.moments import iso, to_us

_SENDING_IP = "192.0.2.14"
_SENDER = "news@sender.example"
_SUBJECT = "Spring range"

_SENDGRID: Mapping[Fate, Mapping[str, str]] = {
    Fate.DELIVERED: {"event": "delivered"},
    Fate.REFUSED: {"event": "bounce", "type": "bounce", "bounce_classification": "Invalid Address"},
    Fate.FULL: {"event": "bounce", "type": "blocked", "bounce_classification": "Mailbox Unavailable"},
    Fate.DEFERRED: {"event": "deferred", "attempt": "1"},
    Fate.NEVER_TRIED: {"event": "dropped"},
    Fate.OPENED: {"event": "open"},
}
_MAILGUN: Mapping[Fate, Mapping[str, str]] = {
    Fate.DELIVERED: {"event": "delivered"},
    Fate.REFUSED: {"event": "failed", "severity": "permanent", "reason": "bounce"},
}
_HAS_REASON = frozenset({Fate.REFUSED, Fate.FULL, Fate.NEVER_TRIED})


def bodies_of(esp: str, mails: Sequence[Mail]) -> tuple[bytes, ...]:
    """The bodies that this ESP posts for these mails: SendGrid all in one, the others one for each."""
    if esp == "sendgrid":
        # SendGrid ends every event with CRLF, the last one too, and signs those bytes with the rest.
        return (b"[" + b",\r\n".join(orjson.dumps(_sendgrid(mail)) for mail in mails) + b"]\r\n",)
    return tuple(orjson.dumps(_ONE_EACH[esp](mail)) for mail in mails)


def _sendgrid(mail: Mail) -> dict[str, object]:
    event: dict[str, object] = {
        "email": mail.recipient,
        "timestamp": int(mail.at.timestamp()),
        "sg_event_id": f"event-{mail.id}",
        "sg_message_id": f"message-{mail.id}.recvd-0001",
        "category": ["newsletter"],
        "singlesend_name": mail.campaign,
        **_SENDGRID[mail.fate],
    }
    if mail.fate is not Fate.OPENED:
        event |= {"ip": _SENDING_IP, "reason" if mail.fate in _HAS_REASON else "response": mail.answer}
    return event


def _ses(mail: Mail) -> dict[str, object]:
    at, message_id = _milliseconds(mail.at), f"0102-{mail.id}"
    envelope: dict[str, object] = {
        "mail": {
            "timestamp": at,
            "source": _SENDER,
            "messageId": message_id,
            "destination": [mail.recipient],
            "commonHeaders": {"subject": _SUBJECT},
            "tags": {"ses:configuration-set": ["b2b"], "ses:outgoing-ip": [_SENDING_IP], "campaign": [mail.campaign]},
        }
    }
    if mail.fate is Fate.DELIVERED:
        delivery = {"timestamp": at, "recipients": [mail.recipient], "smtpResponse": mail.answer}
        return {"eventType": "Delivery", "delivery": delivery, **envelope}
    is_hard = mail.fate is Fate.REFUSED
    bounce = {
        "bounceType": "Permanent" if is_hard else "Transient",
        "bounceSubType": "General" if is_hard else "MailboxFull",
        "bouncedRecipients": [{"emailAddress": mail.recipient, "action": "failed", "diagnosticCode": f"smtp; {mail.answer}"}],
        "timestamp": at,
        "feedbackId": f"feedback-{mail.id}",
    }
    return {"eventType": "Bounce", "bounce": bounce, **envelope}


def _postmark(mail: Mail) -> dict[str, object]:
    record: dict[str, object] = {"MessageID": f"message-{mail.id}", "MessageStream": "broadcast", "Tag": mail.campaign, "ServerID": 77}
    if mail.fate is Fate.DELIVERED:
        return {"RecordType": "Delivery", "Recipient": mail.recipient, "DeliveredAt": iso(to_us(mail.at)), "Details": mail.answer, **record}
    return {
        "RecordType": "Bounce",
        "ID": int.from_bytes(hashlib.sha256(mail.id.encode()).digest()[:6], "big"),
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Details": f"smtp;{mail.answer}",
        "Email": mail.recipient,
        "BouncedAt": iso(to_us(mail.at)),
        "Inactive": True,
        "Subject": _SUBJECT,
        **record,
    }


def _mailgun(mail: Mail) -> dict[str, object]:
    event = {
        "id": f"event-{mail.id}",
        "timestamp": mail.at.timestamp(),
        "recipient": mail.recipient,
        "envelope": {"sender": _SENDER, "sending-ip": _SENDING_IP},
        "delivery-status": {"code": int(mail.answer[:3]), "message": mail.answer, "mx-host": mail.host, "attempt-no": 1},
        "flags": {"is-delayed-bounce": False, "is-test-mode": False},
        "message": {"headers": {"to": mail.recipient, "message-id": f"{mail.id}@sender.example", "subject": _SUBJECT}},
        "tags": [mail.campaign],
        "campaigns": [],
        "user-variables": {},
        **_MAILGUN[mail.fate],
    }
    return {"event-data": event}


def _milliseconds(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_ONE_EACH: Mapping[str, Callable[[Mail], dict[str, object]]] = {"ses": _ses, "postmark": _postmark, "mailgun": _mailgun}
