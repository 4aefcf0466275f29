"""SendGrid (Twilio): an array of mixed events per delivery, ECDSA over timestamp and raw body.

Oddities: the signed body ends with CRLF; event ids change when a batch is posted again, so an event is known by its content; custom
arguments lie flat among the fields; `category` is a string or an array; `ip` is the reader's on opens and clicks. Facts: SendGrid's
Event Webhook Reference.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities, Refused, Signer, SigningKeys, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import checked_secrets
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.proof import as_bytes, refuse_age
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import read_reply
from service.esp_kit.sign import seconds_of, with_headers
from service.esp_kit.sign_keys import ecdsa_keys, sign_ecdsa
from service.esp_kit.verify_keys import is_ecdsa_key, verify_ecdsa
from service.esp_kit.verify_static import checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_WINDOW = timedelta(hours=48)  # a post is retried for 24 hours, and nobody says that it is then signed anew
_AHEAD = timedelta(hours=1)
_UNSIGNED = Refused("the post carries no signature: is Signed Event Webhook on?")

_KINDS = {
    # SendGrid's event -> ours
    "processed": EventKind.QUEUED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,  # hard, block or soft is in `type`
    "dropped": EventKind.REJECTED,  # never tried: counting it would count an old bounce again
    "spamreport": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.SUBSCRIBED,
    "account_status_change": EventKind.OTHER,
}
# Looked up once: an enum's member costs more than what is done with it, and nearly all mail is delivered.
_OTHER, _BOUNCED, _REJECTED, _UNKNOWN = EventKind.OTHER, EventKind.BOUNCED, EventKind.REJECTED, Phase.UNKNOWN
_REPORTED = {
    # a bounce's type -> ours
    "": ReportedType.HARD,  # left out: the event itself is documented as a permanent refusal
    "bounce": ReportedType.HARD,  # also where the server refused for reputation and called it "no such user"
    "blocked": ReportedType.BLOCK,
    "expired": ReportedType.SOFT,  # tried for 72 hours
}
_SUPPRESSED = {"bounce": True, "blocked": False}  # a bounce's type -> is the address on the bounce list now?
# reasons of `dropped` that stand for an address on one of SendGrid's lists
_ON_A_LIST = frozenset({"Unsubscribed Address", "Bounced Address", "Spam Reporting Address", "Invalid"})
_DELIVERY_SIDE = frozenset({EventKind.QUEUED, EventKind.DEFERRED, EventKind.DELIVERED, EventKind.BOUNCED, EventKind.REJECTED})

# SendGrid's own fields; everything else at the top level is the sender's custom arguments
_OWN_FIELDS = (
    "account_status_change asm_group_id attempt bounce_classification category cert_err domain email event from ip mc_auto_id mc_auto_name "
    "mc_pod_id mc_stats marketing_campaign_id marketing_campaign_name marketing_campaign_split_id marketing_campaign_version "
    "newsletter phase_id pool post_type reason response send_at sg_content_type sg_event_id sg_machine_open sg_message_id "
    "sg_template_id sg_template_name singlesend_id singlesend_name smtp-id status template_hash template_id template_version_id "
    "timestamp tls type url url_offset useragent"
)
_OWN = frozenset(_OWN_FIELDS.split())


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    if not request.headers.get(_SIGNATURE):
        return _UNSIGNED
    signed_at = request.headers.get(_TIMESTAMP, "")
    refused = refuse_age(moment_of(signed_at), now, past=_WINDOW, future=_AHEAD)
    return refused or verify_ecdsa(as_bytes(signed_at) + request.body, request.headers.get(_SIGNATURE, ""), trust.secrets)


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(item, "event")
    kind = _KINDS.get(event_type, _OTHER)
    bounce_type = text(item, "type")
    reply = read_reply(text(item, "reason", 4_096) or text(item, "response", 4_096), enhanced=item.get("status"))
    message_id, header_id = text(item, "sg_message_id"), text(item, "smtp-id")
    metadata = jsontext.text_map(item, without=_OWN)
    yield Event(
        kind=kind,
        esp="sendgrid",
        recipient=address_of(item.get("email")),
        occurred_at=moment_of(item.get("timestamp")),
        message_id=message_id or bare_message_id(header_id),
        esp_event_id=text(item, "sg_event_id"),
        esp_event_type=event_type,
        reported_type=_REPORTED.get(bounce_type or "", ReportedType.UNDETERMINED) if kind is _BOUNCED else None,
        esp_class=bounce_type,
        esp_subclass=text(item, "bounce_classification"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        sending_ip=text(item, "ip") if kind in _DELIVERY_SIDE else None,
        campaign=_campaign(item) or campaign_in(metadata),
        tags=jsontext.texts(item, "category"),
        metadata=metadata,
        suppressed_by_esp=_suppressed(kind, bounce_type, reply.diagnostic or bounce_type),
        phase=_phase(kind, message_id),
        identity=identity_of(
            message_id,
            header_id,
            event_type,
            bounce_type,
            text(item, "timestamp"),
            reply.diagnostic,
            text(item, "attempt"),
            text(item, "url"),
        ),
    )


def _campaign(item: JsonObject) -> str | None:
    named = text(item, "singlesend_name") or text(item, "marketing_campaign_name")
    return named or text(item, "singlesend_id") or text(item, "marketing_campaign_id")


def _suppressed(kind: EventKind, bounce_type: str | None, reason: str | None) -> bool | None:
    if kind is _BOUNCED:
        return _SUPPRESSED.get(bounce_type or "")
    return True if kind is _REJECTED and reason in _ON_A_LIST else None


def _phase(kind: EventKind, message_id: str | None) -> Phase:
    if kind is _REJECTED:
        return Phase.LOCAL
    # asynchronous bounces lack the message id; that synchronous ones always have it is said nowhere
    return Phase.ASYNC if message_id is None and kind is _BOUNCED else _UNKNOWN


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    signature = sign_ecdsa(keys.private, as_bytes(seconds_of(now)) + request.body)
    return with_headers(request, **{_TIMESTAMP: seconds_of(now), _SIGNATURE: signature})


ADAPTER = Adapter(
    name="sendgrid",
    title="SendGrid",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=True, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=True, engagement=True
    ),
    signer=Signer(make_keys=ecdsa_keys, sign=_sign),
    schemes=("signature", "basic", "header", "token"),
    replay_window_hours=_WINDOW.total_seconds() / 3_600,
    find_flaw=checked_secrets(
        is_ecdsa_key, "is no ECDSA public key. Copy the verification key that SendGrid shows: it begins with MFkw (PEM is read, too)."
    ),
    guide=(
        "Settings > Mail Settings > Event Webhooks: enter the address, tick all delivery and engagement events, switch on Signed Event "
        "Webhook, and copy its verification key into `secrets`. Switching signing off and on makes a new key: list both while it changes."
    ),
)
