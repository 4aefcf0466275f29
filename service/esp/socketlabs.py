"""SocketLabs: one record per delivery as JSON or, at old endpoints, as a form; the secret stands in the body.

Oddities: what a failure means is a number; a recipient on SocketLabs' list fails too, without a try; `Sent` comes first and `Failed` may
follow days later; the validating post is answered with the key it brings. Facts: SocketLabs' documentation on event webhooks; the numbers
of `TrackingType`, batches and the form of the answer to a validation are documented nowhere that we know.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote_plus

from service.esp_kit import jsontext
from service.esp_kit.adapter import (
    Adapter,
    Capabilities,
    Handshake,
    Refused,
    Signer,
    SigningKeys,
    SourceTrust,
    Verification,
    WebhookRequest,
)
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.dsn_fields import untyped
from service.esp_kit.flat import read_flat
from service.esp_kit.hosts import ip_of, server_in
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, objects, text
from service.esp_kit.proof import NO_SIGNATURE
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import shared_keys
from service.esp_kit.verify_static import STATIC_SCHEMES, checked, verify_in_body
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SECRET = "SecretKey"  # noqa: S105 - the name of a field, not a secret
_VALIDATION = "Validation"

_KINDS = {
    # Type -> ours
    "Queued": EventKind.QUEUED,
    "Sent": EventKind.DELIVERED,
    "Deferred": EventKind.DEFERRED,
    "Failed": EventKind.BOUNCED,  # rejected where SocketLabs did not try
    "Complaint": EventKind.COMPLAINED,
    "Tracking": EventKind.OTHER,  # what it really is stands in `TrackingType`
    _VALIDATION: EventKind.OTHER,
}
_FAILURES = {
    # FailureType -> our kind, what it claims, and whether the address is on SocketLabs' list now
    "0": (EventKind.BOUNCED, ReportedType.SOFT, False),
    "1": (EventKind.BOUNCED, ReportedType.HARD, True),
    "2": (EventKind.REJECTED, None, True),
}
_TRACKING = {
    # TrackingType -> ours
    "0": EventKind.CLICKED,
    "1": EventKind.OPENED,
    "2": EventKind.UNSUBSCRIBED,
}
_ON_THE_LIST = "9999"  # a FailureCode: never tried
_ANSWERS = ("DiagnosticCode", "Reason", "Response")


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    try:
        records = _records(request.body, request.headers.get("content-type", ""))
    except UnreadableError as error:
        return Refused(str(error))
    keys = {text(record, _SECRET) if isinstance(record, dict) else None for record in records}
    return verify_in_body(keys.pop(), trust.secrets) if len(keys) == 1 else NO_SIGNATURE


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    """A validating post, already verified, is answered with the key that it brought."""
    if request.method != "POST" or (b"Type" in request.body and _VALIDATION.encode() not in request.body):
        return None
    try:
        record = read_flat(request.body, request.headers.get("content-type", ""))
    except UnreadableError:
        return None
    key = text(record, _SECRET)
    return Handshake(body=key) if key and record.get("Type") in (None, _VALIDATION) else None


def _parse(delivery: Delivery) -> Parsed:
    return read_items(_records(delivery.body, delivery.content_type), _read, known={*_KINDS, *_TRACKING}, name=_type_name)


def _type_name(event: Event) -> str | None:
    return event.esp_class if event.esp_event_type == "Tracking" else event.esp_event_type


def _records(body: bytes, content_type: str) -> list[object]:
    if body.lstrip()[:1] == b"[":
        return jsontext.load_items(body)
    return [dict(read_flat(body, content_type))]


def _read(record: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(record, "Type")
    esp_class = text(record, "FailureType") or text(record, "TrackingType") or text(record, "FblType")
    esp_subclass = text(record, "FailureCode") or text(record, "DeferralCode")
    kind, reported_type, suppressed = _meaning(event_type, esp_class, esp_subclass)
    words = next((found for key in _ANSWERS if untyped(found := text(record, key, MAX_DIAGNOSTIC))), None)
    reply = read_reply(words, enhanced=record.get("BounceStatus"))
    server, added = server_in(record.get("RemoteMta")), _added(record)
    metadata = {name: value for pair in objects(added, "Meta") if (name := text(pair, "Key")) and (value := text(pair, "Value"))}
    message_id, mailing_id, occurred_at = text(record, "MessageId"), text(record, "MailingId"), moment_of(record.get("DateTime"))
    yield Event(
        kind=kind,
        esp="socketlabs",
        recipient=address_of(record.get("Address")),
        occurred_at=occurred_at,
        message_id=bare_message_id(message_id),  # the sender chooses it
        esp_event_type=event_type,
        reported_type=reported_type,
        esp_class=esp_class,
        esp_subclass=esp_subclass,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=server.host,
        remote_ip=server.ip,
        sending_ip=ip_of(record.get("LocalIp")),
        campaign=mailing_id or campaign_in(metadata),
        tags=jsontext.texts(added, "Tags"),
        metadata=dict(list(metadata.items())[: jsontext.MAX_LISTED]) or None,
        subject=text(record, "Subject"),
        suppressed_by_esp=suppressed,
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=identity_of(
            event_type, esp_class, message_id, mailing_id, text(record, "DateTime"), reply.diagnostic, text(record, "Url")
        ),
    )


def _meaning(event_type: str, esp_class: str | None, esp_subclass: str | None) -> tuple[EventKind, ReportedType | None, bool | None]:
    if event_type == "Failed":
        if esp_subclass == _ON_THE_LIST:
            return _FAILURES["2"]
        return _FAILURES.get(esp_class or "", (EventKind.BOUNCED, ReportedType.UNDETERMINED, None))
    if event_type == "Tracking":
        return _TRACKING.get(esp_class or "", EventKind.OTHER), None, None
    kind = _KINDS.get(event_type, EventKind.OTHER)
    return kind, ReportedType.SOFT if kind is EventKind.DEFERRED else None, None


def _added(record: JsonObject) -> JsonObject:
    """Metadata and tags; in a form they are JSON inside a field."""
    written = record.get("Data")
    if not isinstance(written, str):
        return mapping(record, "Data")
    try:
        return jsontext.load_object(written.encode())
    except UnreadableError:
        return EMPTY


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    start = request.body.lstrip()[:1]
    if start not in {b"{", b"["}:
        return replace(request, body=f"{_SECRET}={quote_plus(keys.private)}&".encode() + request.body)
    signed = [{**record, _SECRET: keys.private} for record in jsontext.load_items(request.body) if isinstance(record, dict)]
    return replace(request, body=json.dumps(signed if start == b"[" else signed[0]).encode())


ADAPTER = Adapter(
    name="socketlabs",
    title="SocketLabs",
    verify=checked(_verify),
    parse=_parse,
    # "token": what proves the sender is in the body, but covers nothing of it
    capabilities=Capabilities(
        signature="token", batches=False, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=Signer(make_keys=shared_keys, sign=_sign),
    schemes=("signature", *STATIC_SCHEMES),
    handshake=_shake,
    secret_in_body=True,
    guide=(
        "Event Webhooks > Create: enter the address (https), JSON, and tick all events. Put the endpoint's secret key into `secrets` "
        "before validating: SocketLabs posts it with every event, and the validation is answered with it."
    ),
)
