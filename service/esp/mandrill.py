"""Mandrill (Mailchimp Transactional): a form with one field that holds an array of events, HMAC-SHA1 over URL and fields.

Oddities: the URL is signed as it is written in Mandrill's settings, user and password included; events have no id of their own; a soft
bounce is final; a bounce that came later as a mail shows the session of the earlier acceptance; list changes have no `event`. Facts:
Mandrill's help pages on webhooks and their format.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from service.esp_kit import forms, jsontext
from service.esp_kit.adapter import (
    Accepted,
    Adapter,
    Answers,
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
from service.esp_kit.flaws import checked_secrets
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, text
from service.esp_kit.proof import NO_SECRET
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import shared_keys, with_headers
from service.esp_kit.sign_form import sign_url_and_form
from service.esp_kit.verify_hmac import verify_url_and_form
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_SIGNATURE = "x-mandrill-signature"
_FIELD = "mandrill_events"
_TEST_KEY = "test-webhook"  # Mandrill's own for the empty batch that it posts as a test; public, so it vouches for nothing else
_NOT_SIGNED = Refused("the signature is over a form, and this is none")
_LONGEST_TEST = 1_000  # spares batches the reading; the test is a form of some 23 bytes

_KINDS = {
    # Mandrill's event -> ours
    "send": EventKind.SENT,
    "deferral": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "hard_bounce": EventKind.BOUNCED,
    "soft_bounce": EventKind.BOUNCED,  # Mandrill has stopped trying
    "reject": EventKind.REJECTED,
    "spam": EventKind.COMPLAINED,
    "unsub": EventKind.UNSUBSCRIBED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    # the type of a list change -> ours
    "blacklist": EventKind.OTHER,
    "denylist": EventKind.OTHER,
    "whitelist": EventKind.OTHER,
    "allowlist": EventKind.OTHER,
}
_REPORTED = {"hard_bounce": ReportedType.HARD, "soft_bounce": ReportedType.SOFT}
_DENIES = frozenset({"blacklist", "denylist"})
_LISTED = frozenset({"hard-bounce", "soft-bounce", "spam", "unsub", "custom"})  # reasons of a reject that stand for an entry of its list
_INBOUND = "inbound"


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    if not any(trust.secrets):
        return NO_SECRET
    if _is_array(request.body):
        return _NOT_SIGNED
    try:
        form = forms.read_form(request.body, request.headers.get("content-type", ""))
    except UnreadableError as error:
        return Refused(str(error))
    own = _verify_form(request, trust, form)
    if isinstance(own, Accepted) or not _is_empty(form):
        return own
    return _verify_form(request, replace(trust, secrets=(_TEST_KEY,)), form)


def _verify_form(request: WebhookRequest, trust: SourceTrust, form: list[tuple[str, str]]) -> Verification:
    """The configured URL goes first as it is written, for only there its user and password are left."""
    urls = dict.fromkeys((*trust.options.get("public_url", ()), request.url))
    results = [verify_url_and_form(request, trust, url=url, form=form, header=_SIGNATURE) for url in urls]
    return next((result for result in results if isinstance(result, Accepted)), results[0])


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    """The empty batch of a test is answered and not kept: anybody can sign it."""
    if request.method != "POST" or len(request.body) > _LONGEST_TEST:
        return None
    try:
        is_empty = _is_empty(forms.read_form(request.body, request.headers.get("content-type", "")))
    except UnreadableError:
        return None
    return Handshake() if is_empty else None


def _is_array(body: bytes) -> bool:
    return body.lstrip()[:1] in {b"[", b"{"}


def _is_empty(form: list[tuple[str, str]]) -> bool:
    return len(form) == 1 and form[0][0] == _FIELD and form[0][1].strip() == "[]"


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(_events_in(delivery)), _read, known=_KINDS)


def _events_in(delivery: Delivery) -> bytes:
    """What the form's field holds; or the body, where somebody has taken the array out of its form."""
    if _is_array(delivery.body):
        return delivery.body
    fields = forms.first_values(forms.read_form(delivery.body, delivery.content_type))
    if _FIELD not in fields:
        raise UnreadableError(f"the form has no field {_FIELD!r}")
    return fields[_FIELD].encode()


def _read(item: JsonObject) -> Iterator[Event]:
    if "event" not in item and "action" in item:
        yield _read_list_change(item)
        return
    event_type = event_type_in(item, "event")
    if event_type == _INBOUND:
        return  # mail that came in: nothing happened to one of ours
    kind = _KINDS.get(event_type, EventKind.OTHER)
    message, occurred_at = mapping(item, "msg"), moment_of(item.get("ts"))
    session = _last_session(message)
    came_later = kind is EventKind.BOUNCED and text(session, "type") == "sent"
    reject = mapping(message, "reject") or mapping(item, "reject")
    words = text(message, "diag", MAX_DIAGNOSTIC) or (None if came_later else text(session, "diag", MAX_DIAGNOSTIC))
    reply = read_reply(words or text(reject, "detail", MAX_DIAGNOSTIC))
    message_id = text(message, "_id") or text(item, "_id")
    reason = text(reject, "reason") or text(message, "reject")
    metadata = jsontext.text_map(mapping(message, "metadata"))
    yield Event(
        kind=kind,
        esp="mandrill",
        recipient=address_of(message.get("email")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=text(message, "bgtools_code"),
        esp_subclass=text(message, "bounce_description") or reason,
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_ip=None if came_later else text(session, "destination_ip"),
        sending_ip=text(session, "source_ip"),
        campaign=campaign_in(metadata),
        tags=jsontext.texts(message, "tags"),
        metadata=metadata,
        subject=text(message, "subject"),
        suppressed_by_esp=_suppressed(event_type, reason),
        phase=_phase(kind, session, came_later=came_later),
        identity=identity_of(event_type, message_id, text(item, "ts"), text(item, "url")),
    )


def _read_list_change(item: JsonObject) -> Event:
    """An address came onto one of Mandrill's lists or left it."""
    list_name, action, entry = event_type_in(item, "type"), text(item, "action"), mapping(item, "reject")
    entry = entry or mapping(item, "entry")
    reply = read_reply(text(entry, "detail", MAX_DIAGNOSTIC))
    return Event(
        kind=EventKind.OTHER,
        esp="mandrill",
        recipient=address_of(entry.get("email")),
        occurred_at=moment_of(item.get("ts")),
        esp_event_type=list_name,
        esp_class=action,
        esp_subclass=text(entry, "reason"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        suppressed_by_esp=action != "remove" if list_name in _DENIES else None,
        phase=Phase.LOCAL,
        identity=identity_of(list_name, action, text(item, "ts"), text(entry, "reason")),
    )


def _last_session(message: JsonObject) -> JsonObject:
    sessions = jsontext.objects(message, "smtp_events")
    return sessions[-1] if sessions else EMPTY


def _suppressed(event_type: str, reason: str | None) -> bool | None:
    if event_type == "hard_bounce":
        return True  # for a while
    return reason in _LISTED if event_type == "reject" and reason else None


def _phase(kind: EventKind, session: JsonObject, *, came_later: bool) -> Phase:
    if kind is EventKind.REJECTED:
        return Phase.LOCAL
    if kind not in {EventKind.BOUNCED, EventKind.DEFERRED} or not session:
        return Phase.UNKNOWN
    return Phase.ASYNC if came_later else Phase.SYNC


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    form = forms.read_form(request.body, request.headers.get("content-type", ""))
    return with_headers(request, **{_SIGNATURE: sign_url_and_form(keys.private, request.url, form)})


ADAPTER = Adapter(
    name="mandrill",
    title="Mandrill (Mailchimp Transactional)",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=Signer(make_keys=shared_keys, sign=_sign),
    answers=Answers(accepted=200, refused=401, unavailable=503),  # a batch that fails is tried again, and holds back the next ones
    schemes=("signature", "basic", "header", "token"),
    methods=("POST", "HEAD"),  # the address is asked for by HEAD before it is saved
    handshake=_shake,
    find_flaw=checked_secrets(
        lambda secret: secret != _TEST_KEY,
        "is the one of Mandrill's own test, which everybody knows. Copy the key of the webhook.",
    ),
    guide=(
        "Settings > Webhooks > Add a Webhook: enter the address exactly as `public_url` of the source says it, tick all message events and "
        "the list changes, and copy the key of the webhook into `secrets`. A reset key counts at once: list both while it changes."
    ),
)
