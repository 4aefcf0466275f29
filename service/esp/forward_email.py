"""Forward Email: one bounce per delivery, HMAC over the raw body; nothing but failures is told.

Oddities: there is no name for the kind of event, only the action of the rule that matched; `status` and `truth_source` may be false; its
advice to drop an address also covers blocks and spam verdicts, which say nothing about the person. Facts: Forward Email's FAQ on
bounce webhooks and ZoneMTA's list of rules.
"""

from collections.abc import Iterator
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import NotAnEventError, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import hex_of_body_signer
from service.esp_kit.verify_hmac import verify_hex_of_body
from service.esp_kit.verify_static import checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "x-webhook-signature"

_KINDS = {
    # the rule's action -> ours
    "reject": EventKind.BOUNCED,
    "defer": EventKind.DEFERRED,
    "slowdown": EventKind.DEFERRED,
}
_REPORTED = {
    # category of a reject -> ours; all others are soft
    "recipient": ReportedType.HARD,
    "block": ReportedType.BLOCK,
    "blacklist": ReportedType.BLOCK,
    "policy": ReportedType.BLOCK,
    "spam": ReportedType.BLOCK,
    "virus": ReportedType.BLOCK,
}
_LISTS = ("list_id", "list_unsubscribe", "feedback_id")
_FINAL = 500


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_hex_of_body(request, trust, header=_SIGNATURE)


def _parse(delivery: Delivery) -> Parsed:
    return read_items([jsontext.load_object(delivery.body)], _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    bounce, message_id, written_at = mapping(item, "bounce"), text(item, "email_id"), text(item, "bounced_at")
    if not bounce and "response" not in item and "response_code" not in item:
        raise NotAnEventError("the body is no bounce: it has neither 'bounce' nor 'response'")
    words = text(item, "response", MAX_DIAGNOSTIC) or text(item, "message", MAX_DIAGNOSTIC) or text(bounce, "message", MAX_DIAGNOSTIC)
    code = item.get("response_code") or bounce.get("code")
    reply = read_reply(words, code=code, enhanced=bounce.get("status"))
    action, category = text(bounce, "action"), text(bounce, "category")
    kind = _kind(action, reply.smtp_code)
    metadata = {name: item.get(name) for name in _LISTS if isinstance(item.get(name), str) and item.get(name)}
    yield Event(
        kind=kind,
        esp="forward_email",
        recipient=address_of(item.get("recipient")),
        occurred_at=moment_of(item.get("bounced_at")),
        message_id=message_id,
        esp_event_type=action,
        reported_type=_reported(kind, category),
        esp_class=action,
        esp_subclass=category,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=_truth_source(item),
        metadata=jsontext.text_map(metadata),
        subject=_subject(mapping(item, "headers")),
        phase=Phase.UNKNOWN,
        identity=identity_of(message_id, written_at, action, reply.smtp_code, reply.diagnostic),
    )


def _kind(action: str | None, code: int | None) -> EventKind:
    """An action that is missing leaves the reply code: nothing but failures is posted."""
    if action is not None:
        return _KINDS.get(action, EventKind.OTHER)
    return EventKind.DEFERRED if code is not None and code < _FINAL else EventKind.BOUNCED


def _reported(kind: EventKind, category: str | None) -> ReportedType | None:
    if kind is EventKind.BOUNCED:
        return _REPORTED.get(category.lower(), ReportedType.SOFT) if category else ReportedType.UNDETERMINED
    return ReportedType.SOFT if kind is EventKind.DEFERRED else None


def _truth_source(item: JsonObject) -> str | None:
    """The domain of the provider that answered, where Forward Email trusts it to tell the truth; else false."""
    found = item.get("truth_source")
    return text(item, "truth_source") if isinstance(found, str) else None


def _subject(headers: JsonObject) -> str | None:
    return next((text(headers, name) for name in headers if name.lower() == "subject"), None)


ADAPTER = Adapter(
    name="forward_email",
    title="Forward Email",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=False, smtp_text=True, remote_host=True, sending_ip=False, engagement=False
    ),
    signer=hex_of_body_signer(_SIGNATURE),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # after anything but 200 one more try
    schemes=("signature", "basic", "header", "token"),
    guide=(
        "My Account > Domains > Advanced settings: enter the address as bounce webhook and copy the webhook key of the domain into "
        "`secrets`. Delivered mails are not told, so this source alone gives no rate."
    ),
)
