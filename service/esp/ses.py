"""Amazon SES through SNS: identity notifications and configuration-set events, in signed envelopes or delivered raw.

Oddities: the envelope's `Message` is a string that holds JSON; raw delivery carries no signature and so needs a secret of its own;
out-of-office answers come as Transient/General bounces; opens and clicks name all recipients of the mail, not the reader; complaints name
candidates. Facts: the SES and SNS developer guides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from service.esp_kit import jsontext, sns
from service.esp_kit.adapter import Adapter, Answers, Capabilities, Refused, Signer, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.auto_replies import is_auto_reply
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, items, mapping, text
from service.esp_kit.reading import NotAnEventError, event_type_in, problem_with, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign_keys import sign_sns, sns_keys
from service.esp_kit.verify_static import verify_static
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType


@dataclass(frozen=True, slots=True)
class _Shape:
    kind: EventKind
    detail: str  # where the event's own fields stand
    recipients: str | None = None  # the list in there; None: all of the mail's destinations


_SHAPES = {
    # eventType or notificationType -> ours
    "Send": _Shape(EventKind.SENT, "send"),
    "Delivery": _Shape(EventKind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": _Shape(EventKind.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Bounce": _Shape(EventKind.BOUNCED, "bounce", "bouncedRecipients"),  # or rejected or autoresponded
    "Complaint": _Shape(EventKind.COMPLAINED, "complaint", "complainedRecipients"),
    "Reject": _Shape(EventKind.REJECTED, "reject"),
    "Rendering Failure": _Shape(EventKind.FAILED, "failure"),
    "Open": _Shape(EventKind.OPENED, "open"),
    "Click": _Shape(EventKind.CLICKED, "click"),
    "Subscription": _Shape(EventKind.UNSUBSCRIBED, "subscription"),
}
_NO_EVENT = frozenset({"Received", "AmazonSnsSubscriptionSucceeded"})  # inbound mail; a note that the topic works
_TOPIC_WORKS = "Successfully validated SNS topic"
_ONE_READER = frozenset({EventKind.OPENED, EventKind.CLICKED, EventKind.UNSUBSCRIBED, EventKind.SUBSCRIBED, EventKind.OTHER})
_REPORTED = {
    # bounceType -> ours
    "Permanent": ReportedType.HARD,
    "Transient": ReportedType.SOFT,
    "Undetermined": ReportedType.UNDETERMINED,
}
_NEVER_TRIED = frozenset({"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"})  # sub-types of bounces and complaints
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})  # feedback types of the same reports (RFC 5965, RFC 6591)
_RAW_UNPROVEN = Refused("raw delivery is not signed: the source needs auth")
_ADAPTER_NAME = "ses"


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    """An envelope always has to prove itself; the source's own secret, where it has one, is asked for first."""
    static = _RAW_UNPROVEN if trust.auth is None else verify_static(request, trust)
    envelope = sns.envelope_in(request.body)
    if envelope is None or (trust.auth is not None and isinstance(static, Refused)):
        return static
    return sns.verify_envelope(envelope, trust, now)


def _find_flaw(trust: SourceTrust) -> str | None:
    wrong = next((arn for arn in trust.options.get("topic_arns", ()) if sns.region_of(arn) is None), None)
    if wrong is not None:
        return f"topic_arns: {wrong!r} is no ARN of an SNS topic. Write it as SNS shows it: arn:aws:sns:REGION:ACCOUNT:NAME."
    versions = trust.options.get("signature_versions", sns.VERSIONS)
    unknown = next((version for version in versions if version not in sns.VERSIONS), None)
    return None if unknown is None else f'signature_versions: {unknown!r} is none that SNS has. Write "1", "2" or both.'


def _parse(delivery: Delivery) -> Parsed:
    envelope = sns.envelope_in(delivery.body)
    if envelope is None:
        return _parse_message(delivery.body, {"MessageId": delivery.headers.get("x-amz-sns-message-id")})
    match text(envelope, "Type"):
        case sns.NOTIFICATION:
            return _parse_notification(envelope)
        case sns.SUBSCRIPTION:
            return _parse_subscription(envelope)
        case sns.UNSUBSCRIPTION:
            return _parse_unsubscription(envelope)
        case unknown:
            raise UnreadableError(f"SNS messages of type {unknown!r} are not known")


def _parse_notification(envelope: JsonObject) -> Parsed:
    message = envelope.get("Message")
    if not isinstance(message, str):
        raise UnreadableError("the SNS envelope holds no Message")
    if message.startswith(_TOPIC_WORKS):
        return Parsed()
    return _parse_message(message.encode(), envelope)


def _parse_subscription(envelope: JsonObject) -> Parsed:
    try:
        return Parsed(acts=(sns.confirmation_in(envelope),))
    except NotAnEventError as error:
        return Parsed(problems=(problem_with(envelope, error),))


def _parse_unsubscription(envelope: JsonObject) -> Parsed:
    """Worth a look by people; its SubscribeURL would subscribe us again and is never fetched."""
    message_id, occurred_at = text(envelope, "MessageId"), moment_of(envelope.get("Timestamp"))
    event = Event(
        kind=EventKind.OTHER,
        esp=_ADAPTER_NAME,
        occurred_at=occurred_at,
        esp_event_id=message_id,
        esp_event_type=sns.UNSUBSCRIPTION,
        identity=identity_of(sns.UNSUBSCRIPTION, message_id, occurred_at),
    )
    return Parsed(events=(event,))


def _parse_message(body: bytes, envelope: JsonObject) -> Parsed:
    message = jsontext.load_object(body)
    if text(message, "notificationType") in _NO_EVENT:
        return Parsed()
    return read_items([message], lambda message: _read(message, envelope), known=_SHAPES)


def _read(message: JsonObject, envelope: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(message, "eventType" if text(message, "eventType") else "notificationType")
    shape = _SHAPES.get(event_type, _Shape(EventKind.OTHER, ""))
    detail, mail = mapping(message, shape.detail), mapping(message, "mail")
    occurred_at = moment_of(detail.get("timestamp")) or moment_of(mail.get("timestamp"))
    message_id, feedback_id = text(mail, "messageId"), text(detail, "feedbackId")
    esp_class, esp_subclass = _classes(detail)
    tags = _tags(mapping(mail, "tags"))
    for recipient in _recipients(shape, detail, mail):
        words = text(recipient, "diagnosticCode", MAX_DIAGNOSTIC) or _words(detail)
        reply = read_reply(words, enhanced=recipient.get("status"))
        kind = _kind(shape, detail, recipient, words)
        yield Event(
            kind=kind,
            esp=_ADAPTER_NAME,
            recipient=address_of(recipient.get("emailAddress")),
            occurred_at=occurred_at,
            message_id=message_id,
            esp_event_id=feedback_id or text(envelope, "MessageId"),
            esp_event_type=event_type,
            reported_type=_REPORTED.get(esp_class or "", ReportedType.UNDETERMINED) if event_type == "Bounce" else None,
            esp_class=esp_class,
            esp_subclass=esp_subclass,
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            remote_ip=text(detail, "remoteMtaIp"),
            sending_ip=tags.get("ses:outgoing-ip"),
            campaign=campaign_in(tags),
            metadata=tags or None,
            subject=text(mapping(mail, "commonHeaders"), "subject"),
            suppressed_by_esp=True if esp_subclass in _NEVER_TRIED else None,
            phase=Phase.LOCAL if kind in {EventKind.REJECTED, EventKind.FAILED} else Phase.UNKNOWN,
            identity=identity_of(event_type, message_id, feedback_id, occurred_at, text(detail, "link"), text(detail, "ipAddress")),
        )


def _recipients(shape: _Shape, detail: JsonObject, mail: JsonObject) -> Iterator[JsonObject]:
    """Whom the event is about; nobody by name where several were written to and one of them, not told which, has acted."""
    named = items(detail, shape.recipients) if shape.recipients else []
    concerned = named or items(mail, "destination")
    if not concerned or (shape.kind in _ONE_READER and len(concerned) > 1):
        yield EMPTY
        return
    for recipient in concerned:
        yield recipient if isinstance(recipient, dict) else {"emailAddress": recipient}


def _classes(detail: JsonObject) -> tuple[str | None, str | None]:
    esp_class = text(detail, "bounceType") or text(detail, "complaintFeedbackType") or text(detail, "delayType")
    return esp_class, text(detail, "bounceSubType") or text(detail, "complaintSubType")


def _words(detail: JsonObject) -> str | None:
    keys = ("smtpResponse", "reason", "errorMessage")
    return next((words for key in keys if (words := text(detail, key, MAX_DIAGNOSTIC))), None)


def _tags(tags: JsonObject) -> dict[str, str]:
    joined = ((name, jsontext.texts(tags, name)) for name in islice(tags, jsontext.MAX_LISTED))
    return {name[: jsontext.MAX_TEXT]: ", ".join(values)[: jsontext.MAX_TEXT] for name, values in joined if values}


def _kind(shape: _Shape, detail: JsonObject, recipient: JsonObject, words: str | None) -> EventKind:
    esp_class, esp_subclass = _classes(detail)
    if shape.kind in {EventKind.BOUNCED, EventKind.COMPLAINED} and esp_subclass in _NEVER_TRIED:
        return EventKind.REJECTED
    if shape.kind is EventKind.BOUNCED and _is_auto_reply(detail, recipient, words):
        return EventKind.AUTORESPONDED
    if shape.kind is EventKind.COMPLAINED and esp_class in _NO_COMPLAINT:
        return EventKind.OTHER
    if shape.kind is EventKind.UNSUBSCRIBED and not _opts_out(detail):
        return EventKind.SUBSCRIBED
    return shape.kind


def _is_auto_reply(bounce: JsonObject, recipient: JsonObject, words: str | None) -> bool:
    """Out-of-office answers are reported as Transient/General, or as Undetermined: with their words, or with nothing a server said."""
    if text(bounce, "bounceType") == "Permanent" or text(bounce, "bounceSubType") not in {"General", "Undetermined"}:
        return False
    if words:
        return is_auto_reply(words)
    says_nothing = text(recipient, "status") is None and text(recipient, "action") is None
    return says_nothing and text(bounce, "bounceType") == "Transient"


def _opts_out(subscription: JsonObject) -> bool:
    new, old = mapping(subscription, "newTopicPreferences"), mapping(subscription, "oldTopicPreferences")
    return new.get("unsubscribeAll") is True or bool(_topics_out(new) - _topics_out(old))


def _topics_out(preferences: JsonObject) -> set[str | None]:
    topics = jsontext.objects(preferences, "topicSubscriptionStatus")
    return {text(topic, "topicName") for topic in topics if text(topic, "subscriptionStatus") == "OptOut"}


ADAPTER = Adapter(
    name=_ADAPTER_NAME,
    title="Amazon SES",
    verify=_verify,
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=Signer(make_keys=sns_keys, sign=sign_sns),
    answers=Answers(refused=403),  # SNS gives up after any 4xx, so an unavailable store must not answer with one
    schemes=("signature", "basic", "header", "token"),
    replay_window_hours=sns.WINDOW.total_seconds() / 3_600,
    find_flaw=_find_flaw,
    guide=(
        "Make a standard SNS topic, name its ARN in `topic_arns`, subscribe the address over HTTPS without raw delivery, and publish the "
        "configuration set's events to it: Send, Delivery, Bounce, Complaint, Reject, Delivery Delay, Rendering Failure and, if wanted, "
        "Open, Click and Subscription. Raw delivery is not signed and needs `auth`."
    ),
)
