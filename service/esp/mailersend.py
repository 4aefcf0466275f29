"""MailerSend: one event per delivery, HMAC over the raw body.

Oddities: a bounce has no code, no host and few words, so little can be read from it alone; slashes and letters are escaped, so only the
raw body verifies; saving the address posts a test signed with a secret that everybody knows. Facts: MailerSend's API documentation on
webhooks and its PHP library.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Accepted, Adapter, Answers, Capabilities, Handshake, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import checked_secrets
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.proof import NO_SECRET
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, Reply, read_reply
from service.esp_kit.sign import hex_of_body_signer
from service.esp_kit.verify_hmac import verify_hex_of_body
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "signature"
_TEST = "webhook.test"
_TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105 - public, and believed for a test alone, which is not kept

_KINDS = {
    # MailerSend's type -> ours
    "activity.sent": EventKind.SENT,
    "activity.delivered": EventKind.DELIVERED,
    "activity.deferred": EventKind.DEFERRED,
    "activity.soft_bounced": EventKind.BOUNCED,
    "activity.hard_bounced": EventKind.BOUNCED,
    "activity.spam_complaint": EventKind.COMPLAINED,
    "activity.unsubscribed": EventKind.UNSUBSCRIBED,
    "activity.opened": EventKind.OPENED,
    "activity.opened_unique": EventKind.OPENED,
    "activity.clicked": EventKind.CLICKED,
    "activity.clicked_unique": EventKind.CLICKED,
}
_REPORTED = {"activity.hard_bounced": ReportedType.HARD, "activity.soft_bounced": ReportedType.SOFT}
_NOT_OF_MAILS = re.compile(
    r"activity\.survey_.*|maintenance\..*|.*\.verified|bulk_email\.completed|inbound_forward\..*|recipient\.on_hold.*|webhook\.test"
)
_SAYS_SUPPRESSED = re.compile(r"suppression list|suppressed", re.IGNORECASE)


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    if not any(trust.secrets):
        return NO_SECRET
    own = verify_hex_of_body(request, trust, header=_SIGNATURE)
    if isinstance(own, Accepted) or not _is_test(request.body):
        return own
    return verify_hex_of_body(request, replace(trust, secrets=(_TEST_SECRET,)), header=_SIGNATURE)


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    """A test is answered and not kept: anybody can sign it."""
    return Handshake() if request.method == "POST" and _is_test(request.body) else None


def _is_test(body: bytes) -> bool:
    if _TEST.encode() not in body:  # spares all others the reading
        return False
    try:
        return text(jsontext.load_object(body), "type") == _TEST
    except UnreadableError:
        return False


def _parse(delivery: Delivery) -> Parsed:
    return read_items([jsontext.load_object(delivery.body)], _read, known=_KINDS, name=_type_name)


def _type_name(event: Event) -> str | None:
    event_type = event.esp_event_type or ""
    return None if _NOT_OF_MAILS.fullmatch(event_type) else event_type


def _read(item: JsonObject) -> Iterator[Event]:
    event_type, activity = event_type_in(item, "type"), mapping(item, "data")
    mail, morph = mapping(activity, "email"), mapping(activity, "morph")
    occurred_at = moment_of(activity.get("created_at")) or moment_of(item.get("created_at"))
    message_id, event_id = text(mapping(mail, "message"), "id") or text(mail, "id"), text(activity, "id")
    reply, esp_class = _told(morph)
    kind = _kind(event_type, reply.diagnostic)
    yield Event(
        kind=kind,
        esp="mailersend",
        recipient=address_of(mapping(mail, "recipient").get("email")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=esp_class[: jsontext.MAX_TEXT] if esp_class else None,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        tags=jsontext.texts(mail, "tags"),
        subject=text(mail, "subject"),
        suppressed_by_esp=True if kind is EventKind.REJECTED else None,
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=identity_of("id", event_id) if event_id else identity_of(event_type, message_id, occurred_at, text(morph, "url")),
    )


def _told(morph: JsonObject) -> tuple[Reply, str | None]:
    """What was answered, and MailerSend's word for it: of two texts the one with a code in it is the server's."""
    reason, readable = text(morph, "reason", MAX_DIAGNOSTIC), text(morph, "readable_reason", MAX_DIAGNOSTIC)
    answer = read_reply(reason)
    if answer.smtp_code or answer.enhanced_status_code:
        return answer, readable
    return read_reply(readable) if readable else answer, reason


def _kind(event_type: str, words: str | None) -> EventKind:
    kind = _KINDS.get(event_type, EventKind.OTHER)
    if kind is EventKind.BOUNCED and words and _SAYS_SUPPRESSED.search(words):
        return EventKind.REJECTED
    return kind


ADAPTER = Adapter(
    name="mailersend",
    title="MailerSend",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=False, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=hex_of_body_signer(_SIGNATURE),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # after any failure two more tries, 10 and 100 seconds later
    schemes=("signature", "basic", "header", "token"),
    handshake=_shake,
    find_flaw=checked_secrets(
        lambda secret: secret != _TEST_SECRET,
        "is the one of MailerSend's own test, which everybody knows. Copy the signing secret of the webhook.",
    ),
    guide=(
        "Domains > Manage > Webhooks > Add webhook: enter the address, tick all activity events, and copy the webhook's signing secret "
        "into `secrets`. Each domain needs its own."
    ),
)
