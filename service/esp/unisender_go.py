"""Unisender Go: events grouped by user in one delivery, an MD5 of the body with the key in the place of its `auth`.

Oddities: the digest signs no time, and MD5 is weak; events have no id; times have no zone and are UTC; `soft_bounced` covers tries that
go on, and `hard_bounced` covers mails that were never sent; activating the hook asks for the address by GET. Facts: Unisender Go's Web API
and its list of e-mail statuses.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import (
    Adapter,
    Answers,
    Capabilities,
    Handshake,
    Signer,
    SigningKeys,
    SourceTrust,
    Verification,
    WebhookRequest,
)
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.proof import as_bytes
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import shared_keys
from service.esp_kit.verify_hmac import verify_embedded_md5
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_STATUS, _BLOCK = "transactional_email_status", "transactional_spam_block"

_KINDS = {
    # status -> ours
    "sent": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "soft_bounced": EventKind.BOUNCED,  # deferred where the tries go on
    "hard_bounced": EventKind.BOUNCED,  # rejected where nothing was sent
    "spam": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "subscribed": EventKind.SUBSCRIBED,
    _BLOCK: EventKind.OTHER,  # a provider has begun or ceased to block us: no mail of its own
}
_REPORTED = {"hard_bounced": ReportedType.HARD, "soft_bounced": ReportedType.SOFT}
_GOES_ON = "err_will_retry"
_NEVER_SENT = frozenset({"err_unsubscribed", "err_skip_letter", "err_spam_skipped"})
_NO_AUTH = "0" * 32
_AUTH = re.compile(rb'("auth"\s*:\s*")[^"]*(")')


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_embedded_md5(request, trust)


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    return Handshake() if request.method == "GET" else None


def _parse(delivery: Delivery) -> Parsed:
    payload = jsontext.load_object(delivery.body)
    groups = payload.get("events_by_user")
    if isinstance(groups, list):
        return read_items(_events_in(groups), _read, known=_KINDS)
    if "event_name" in payload or "status" in payload:
        return read_items([payload], _read, known=_KINDS)  # a hook that is set to single events
    raise UnreadableError("the body holds no 'events_by_user'")


def _events_in(groups: list[object]) -> Iterator[object]:
    """The events of all users; a group that holds none stays, so that it is reported."""
    for group in groups:
        events = group.get("events") if isinstance(group, dict) else None
        if isinstance(events, list):
            yield from events
        else:
            yield group


def _read(item: JsonObject) -> Iterator[Event]:
    event_name, fields = text(item, "event_name"), mapping(item, "event_data") or item
    if event_name not in {None, _STATUS}:
        yield _read_other(event_type_in(item, "event_name"), fields)
        return
    status, info = event_type_in(fields, "status"), mapping(fields, "delivery_info")
    cause = text(info, "delivery_status")
    kind = _kind(status, cause)
    reply = read_reply(text(info, "destination_response", MAX_DIAGNOSTIC) or text(fields, "comment", MAX_DIAGNOSTIC))
    message_id, metadata = text(fields, "job_id"), jsontext.text_map(mapping(fields, "metadata"))
    yield Event(
        kind=kind,
        esp="unisender_go",
        recipient=address_of(fields.get("email")),
        occurred_at=moment_of(fields.get("event_time")),
        message_id=message_id,
        esp_event_type=status,
        reported_type=_REPORTED.get(status),
        esp_class=cause,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=campaign_in(metadata),
        metadata=metadata,
        suppressed_by_esp=True if cause == "err_unsubscribed" else None,
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=identity_of(status, message_id, text(fields, "event_time"), cause, text(fields, "url")),
    )


def _read_other(event_name: str, fields: JsonObject) -> Event:
    """A block by a provider, with all that is told of it: it names no mail and no recipient."""
    metadata = jsontext.text_map(fields)
    return Event(
        kind=EventKind.OTHER,
        esp="unisender_go",
        occurred_at=moment_of(fields.get("block_time")) or moment_of(fields.get("event_time")),
        esp_event_type=event_name,
        esp_class=text(fields, "block_type"),
        esp_subclass=text(fields, "domain_status"),
        metadata=metadata,
        phase=Phase.UNKNOWN,
        identity=identity_of(event_name, *(f"{key}={value}" for key, value in sorted((metadata or {}).items()))),
    )


def _kind(status: str, cause: str | None) -> EventKind:
    if status == "soft_bounced" and cause == _GOES_ON:
        return EventKind.DEFERRED
    if status == "hard_bounced" and cause in _NEVER_SENT:
        return EventKind.REJECTED
    return _KINDS.get(status, EventKind.OTHER)


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    if not _AUTH.search(request.body):
        payload = {**jsontext.load_object(request.body), "auth": _NO_AUTH}
        request = replace(request, body=json.dumps(payload, separators=(",", ":")).encode())
    with_key = _with_auth(request.body, keys.private)
    digest = hashlib.md5(with_key, usedforsecurity=False).hexdigest()
    return replace(request, body=_with_auth(request.body, digest))


def _with_auth(body: bytes, value: str) -> bytes:
    return _AUTH.sub(lambda found: found[1] + as_bytes(value) + found[2], body, count=1)


ADAPTER = Adapter(
    name="unisender_go",
    title="Unisender Go",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=True, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=Signer(make_keys=shared_keys, sign=_sign),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # all but 200 is tried for 24 hours
    schemes=("signature", "basic", "header", "token"),
    methods=("POST", "GET"),
    handshake=_shake,
    guide=(
        "Settings > Webhooks: enter the address, format json_post, all statuses and spam blocks. The secret is the API key, for the "
        "hook of a project the key of the project. The answer has to come within 3 seconds."
    ),
)
