"""Resend: one event per delivery, signed by Standard Webhooks under Svix' header names.

Oddities: the event's id stands in a header; `to` may name several and which of them an event is about is not said; before
`email.suppressed` came, a suppressed address was a bounce; it sends through Amazon SES, so automatic answers come as Transient/General
bounces. Facts: Resend's API description and its pages on retries; the Standard Webhooks specification.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities, Signer, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.auto_replies import is_auto_reply
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import STANDARD_WEBHOOK_FLAW
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import sign_standard_webhook, standard_webhook_keys
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_standard_webhook
from service.esp_kit.verify_static import checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: EventKind
    detail: str = ""  # where the event's own fields stand


_SHAPES = {
    # Resend's type -> ours
    "email.scheduled": _Shape(EventKind.QUEUED),
    "email.sent": _Shape(EventKind.SENT),
    "email.delivered": _Shape(EventKind.DELIVERED),
    "email.delivery_delayed": _Shape(EventKind.DEFERRED, "delivery_delayed"),
    "email.bounced": _Shape(EventKind.BOUNCED, "bounce"),  # or rejected or autoresponded
    "email.suppressed": _Shape(EventKind.REJECTED, "suppressed"),
    "email.failed": _Shape(EventKind.FAILED, "failed"),
    "email.complained": _Shape(EventKind.COMPLAINED, "complaint"),
    "email.opened": _Shape(EventKind.OPENED, "open"),
    "email.clicked": _Shape(EventKind.CLICKED, "click"),
}
_INBOUND = "email.received"
_NOT_OF_MAILS = ("contact.", "domain.", "suppression.")
_REPORTED = {
    # a bounce's type -> ours
    "Permanent": ReportedType.HARD,
    "Transient": ReportedType.SOFT,
    "Undetermined": ReportedType.UNDETERMINED,
}
_NEVER_TRIED = frozenset({"Suppressed", "OnAccountSuppressionList"})
_SAYS_SUPPRESSED = re.compile(r"suppression list|suppressed", re.IGNORECASE)
_UNCLEAR = frozenset({"General", "Undetermined"})
_ONE_READER = frozenset({EventKind.OPENED, EventKind.CLICKED, EventKind.COMPLAINED, EventKind.OTHER})
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_standard_webhook(request, trust, now, prefixes=("svix", "webhook"))


def _parse(delivery: Delivery) -> Parsed:
    headers = delivery.headers
    event_id = (headers.get("svix-id") or headers.get("webhook-id") or "")[: jsontext.MAX_TEXT] or None
    return read_items([jsontext.load_object(delivery.body)], partial(_read, event_id=event_id), known=_SHAPES, name=_type_name)


def _type_name(event: Event) -> str | None:
    event_type = event.esp_event_type or ""
    return None if event_type.startswith(_NOT_OF_MAILS) else event_type


def _read(item: JsonObject, event_id: str | None) -> Iterator[Event]:
    event_type = event_type_in(item, "type")
    if event_type == _INBOUND:
        return  # nothing happened to a mail of ours
    shape = _SHAPES.get(event_type, _Shape(EventKind.OTHER))
    mail, occurred_at = mapping(item, "data"), moment_of(item.get("created_at"))
    detail = mapping(mail, shape.detail) if shape.detail else EMPTY
    message_id, metadata = text(mail, "email_id"), _metadata(mail)
    link = text(detail, "link")
    for recipient, words in _recipients(shape.kind, mail, detail):
        kind = _kind(shape.kind, detail, words)
        reply = read_reply(words)
        yield Event(
            kind=kind,
            esp="resend",
            recipient=recipient,
            occurred_at=occurred_at,
            message_id=message_id,
            esp_event_id=event_id,
            esp_event_type=event_type,
            reported_type=_reported(event_type, detail),
            esp_class=text(detail, "type"),
            esp_subclass=text(detail, "subType") or text(detail, "reason"),
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            campaign=campaign_in(metadata) or text(mail, "broadcast_id"),
            metadata=metadata,
            subject=text(mail, "subject"),
            suppressed_by_esp=True if kind is EventKind.REJECTED else None,
            phase=Phase.LOCAL if kind in _LOCAL else Phase.UNKNOWN,
            identity=identity_of("id", event_id) if event_id else identity_of(event_type, message_id, text(item, "created_at"), link),
        )


def _recipients(kind: EventKind, mail: JsonObject, detail: JsonObject) -> Iterator[tuple[str | None, str | None]]:
    """Whom the event is about, each with the answer that speaks of him; nobody by name where one of several has acted."""
    listed = jsontext.texts(mail, "to") or jsontext.texts(mail, "email") or ()
    addresses = [address for written in listed if (address := address_of(written))]
    answers = jsontext.texts(detail, "diagnosticCode") or ()
    general = text(detail, "message", MAX_DIAGNOSTIC) or text(detail, "reason", MAX_DIAGNOSTIC)
    if not addresses or (kind in _ONE_READER and len(addresses) > 1):
        yield None, next(iter(answers), general)
        return
    is_one_each = len(answers) == len(addresses)
    for place, address in enumerate(addresses):
        own = next((answer for answer in answers if address in answer.lower()), None)
        yield address, own or (answers[place] if is_one_each else next(iter(answers), general))


def _kind(kind: EventKind, bounce: JsonObject, words: str | None) -> EventKind:
    if kind is not EventKind.BOUNCED:
        return kind
    message, subtype = text(bounce, "message", MAX_DIAGNOSTIC) or "", text(bounce, "subType")
    if subtype in _NEVER_TRIED or _SAYS_SUPPRESSED.search(message):
        return EventKind.REJECTED
    may_be_reply = text(bounce, "type") != "Permanent" and subtype in _UNCLEAR
    return EventKind.AUTORESPONDED if may_be_reply and (is_auto_reply(words) or is_auto_reply(message)) else EventKind.BOUNCED


def _reported(event_type: str, detail: JsonObject) -> ReportedType | None:
    if event_type != "email.bounced":
        return None
    return _REPORTED.get(text(detail, "type") or "", ReportedType.UNDETERMINED)


def _metadata(mail: JsonObject) -> dict[str, str] | None:
    """The tags, which are names with values: an object, in older events a list of pairs."""
    pairs = {name: tag.get("value") for tag in jsontext.objects(mail, "tags") if (name := text(tag, "name"))}
    return jsontext.text_map(pairs or mapping(mail, "tags"))


ADAPTER = Adapter(
    name="resend",
    title="Resend",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=Signer(make_keys=standard_webhook_keys, sign=partial(sign_standard_webhook, prefix="svix")),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # tried 8 times in about 27 hours; 410 would switch the address off
    schemes=("signature", "basic", "header", "token"),
    replay_window_hours=SHORT_WINDOW.total_seconds() / 3_600,
    find_flaw=STANDARD_WEBHOOK_FLAW,
    guide=(
        "Webhooks > Add endpoint: enter the address, tick all email events, and copy the signing secret, which begins with whsec_, into "
        "`secrets`. An endpoint that goes on failing is switched off and has to be switched on by hand."
    ),
)
