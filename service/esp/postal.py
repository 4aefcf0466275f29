"""Postal (self-hosted): one event per delivery, signed with the installation's RSA key.

Oddities: mail that comes in is reported beside mail that goes out; a failure of Postal's own (spam threshold, no route, tries used up)
looks like a refusal; answers are cut at 250 characters; the remote host stands only inside a sentence; a bounce that came later carries
no code. Facts: Postal's source, which differs from its documentation.
"""

import ipaddress
import re
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives import hashes

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities, Signer, SigningKeys, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import checked_secrets
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import with_headers
from service.esp_kit.sign_keys import rsa_keys, sign_rsa
from service.esp_kit.verify_keys import is_rsa_key, verify_rsa
from service.esp_kit.verify_static import checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "x-postal-signature-256"
_OLD_SIGNATURE = "x-postal-signature"  # over SHA-1; newer versions send both, and then it is not looked at

_KINDS = {
    # Postal's event -> ours
    "MessageSent": EventKind.DELIVERED,
    "MessageDelayed": EventKind.DEFERRED,
    "MessageDeliveryFailed": EventKind.BOUNCED,  # or failed by Postal alone
    "MessageHeld": EventKind.REJECTED,  # suppression list, development mode, held credential, limit of sending
    "MessageBounced": EventKind.BOUNCED,  # came later, as a mail
    "MessageLinkClicked": EventKind.CLICKED,
    "MessageLoaded": EventKind.OPENED,
    "DomainDNSError": EventKind.OTHER,
    "SendLimitApproaching": EventKind.OTHER,
    "SendLimitExceeded": EventKind.OTHER,
}
_REPORTED = {
    "MessageDelayed": ReportedType.SOFT,
    "MessageDeliveryFailed": ReportedType.HARD,
    "MessageBounced": ReportedType.UNDETERMINED,
}
_OWN_FAULT = re.compile(
    r"spam|threshold|\bno (?:\w+ )?(?:route|endpoint)|(?:route|endpoint) (?:does not|no longer)|"
    r"max(?:imum)?(?: number)?(?: of)?(?: delivery)? attempts",
    re.IGNORECASE,
)
_SUPPRESSION = re.compile(r"suppression list", re.IGNORECASE)
# `… when sending to mx1.example.com`, `… accepted by 192.0.2.1:25 (mx1.example.com)`, `… sent by SMTP to mx1.example.com (192.0.2.1) …`
_ENDPOINT = re.compile(r"\b(?:sending to|accepted by|by SMTP to) ([^\s()]{1,300})(?: \(([^\s()]{1,300})\))?")
_PORT = re.compile(r"(.+):\d{1,5}")


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    if _SIGNATURE not in request.headers and _OLD_SIGNATURE in request.headers:
        return verify_rsa(request.body, request.headers[_OLD_SIGNATURE], trust.secrets, hashes.SHA1())  # noqa: S303 - all that Postal 2 has
    return verify_rsa(request.body, request.headers.get(_SIGNATURE, ""), trust.secrets)


def _parse(delivery: Delivery) -> Parsed:
    return read_items([jsontext.load_object(delivery.body)], _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type, payload = event_type_in(item, "event"), mapping(item, "payload")
    message = mapping(payload, "original_message") or mapping(payload, "message")
    if text(message, "direction") == "incoming":
        return  # nothing happened to a mail of ours
    details, output = text(payload, "details", MAX_DIAGNOSTIC), text(payload, "output", MAX_DIAGNOSTIC)
    kind = _kind(event_type, details, output)
    reply = read_reply(output or details)
    host, ip = _endpoint_in(details or "")
    event_id, tag = text(item, "uuid"), text(message, "tag")
    occurred_at = moment_of(payload.get("timestamp")) or moment_of(item.get("timestamp"))
    message_id = bare_message_id(text(message, "message_id")) or text(message, "id")
    yield Event(
        kind=kind,
        esp="postal",
        recipient=address_of(message.get("to")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=text(payload, "status"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=host,
        remote_ip=ip,
        tags=(tag,) if tag else None,
        subject=text(message, "subject"),
        suppressed_by_esp=True if details and _SUPPRESSION.search(details) else None,
        phase=_phase(event_type, kind, output),
        identity=identity_of("id", event_id) if event_id else identity_of(event_type, message_id, occurred_at, text(payload, "url")),
    )


def _kind(event_type: str, details: str | None, output: str | None) -> EventKind:
    kind = _KINDS.get(event_type, EventKind.OTHER)
    if event_type == "MessageDeliveryFailed" and not output and details and _OWN_FAULT.search(details):
        return EventKind.FAILED
    return kind


def _endpoint_in(details: str) -> tuple[str | None, str | None]:
    """The host and the address that Postal talked to, in whatever order it writes them."""
    found = _ENDPOINT.search(details)
    if not found:
        return None, None
    written = [_without_port(part) for part in found.groups() if part]
    ips = [part for part in written if _is_ip(part)]
    hosts = [part for part in written if part not in ips and "@" not in part]
    return next(iter(hosts), None), next(iter(ips), None)


def _without_port(written: str) -> str:
    written = written.rstrip(".,;")
    if _is_ip(written):  # one of version 6 holds colons of its own
        return written
    found = _PORT.fullmatch(written)
    return (found[1] if found else written).strip("[]")


def _is_ip(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True


def _phase(event_type: str, kind: EventKind, output: str | None) -> Phase:
    if kind in {EventKind.REJECTED, EventKind.FAILED}:
        return Phase.LOCAL
    if event_type == "MessageBounced":
        return Phase.ASYNC
    return Phase.SYNC if kind in {EventKind.BOUNCED, EventKind.DEFERRED} and output else Phase.UNKNOWN


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    return with_headers(request, **{_SIGNATURE: sign_rsa(keys.private, request.body)})


ADAPTER = Adapter(
    name="postal",
    title="Postal",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=False, engagement=True
    ),
    signer=Signer(make_keys=rsa_keys, sign=_sign),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # tried 6 times within 36 minutes, whatever the failure
    schemes=("signature", "basic", "header", "token"),
    find_flaw=checked_secrets(
        is_rsa_key, "is no RSA public key. Copy what stands after p= in the installation's default DKIM record (PEM is read, too)."
    ),
    guide=(
        "Mail server > Webhooks > Add: enter the address and all events. The secret is the public key of the installation: the value after "
        "`p=` in its default DKIM record, or the same key as PEM. It is one key for all mail servers of the installation."
    ),
)
