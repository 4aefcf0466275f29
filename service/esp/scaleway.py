"""Scaleway Transactional Email: events in the envelopes of Topics and Events, Scaleway's own SNS.

Oddities: the signing certificate is replaced every year, so what a source trusts is the authority above it, one file per region, and that
is what `secrets` hold; a refusal may be told twice, as dropped and as mailbox not found; spam may be the word of Scaleway, of the server or
of the recipient. The envelope's details, its hosts and its retries are not confirmed. Facts: Scaleway's pages on webhook payloads and on
verifying signatures.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from service.esp_kit import jsontext, sns
from service.esp_kit.adapter import (
    Adapter,
    Answers,
    Capabilities,
    NeedsCertificate,
    Refused,
    Signer,
    SigningKeys,
    SourceTrust,
    Verification,
    WebhookRequest,
)
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.chains import chained_key, is_certificate
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import checked_secrets
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, objects, text
from service.esp_kit.proof import NO_SECRET, NO_SIGNATURE, refuse_age, verdict
from service.esp_kit.reading import NotAnEventError, event_type_in, problem_with, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign_keys import certificate_pem, sign_rsa
from service.esp_kit.verify_keys import decoded, rsa_holds
from service.esp_kit.verify_static import STATIC_SCHEMES, verify_static
from service.model.errors import UnreadableError
from service.model.events import ConfirmSubscription, Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # type -> ours
    "email_queued": EventKind.QUEUED,
    "email_delivered": EventKind.DELIVERED,
    "email_deferred": EventKind.DEFERRED,
    "email_dropped": EventKind.BOUNCED,
    "email_mailbox_not_found": EventKind.BOUNCED,
    "email_spam": EventKind.BOUNCED,
    "email_blocklisted": EventKind.REJECTED,
    "blocklist_created": EventKind.OTHER,
    "unknown_type": EventKind.OTHER,
}
_REPORTED = {
    # type -> what it claims
    "email_deferred": ReportedType.SOFT,
    "email_dropped": ReportedType.HARD,  # documented as the destination's definitive refusal
    "email_mailbox_not_found": ReportedType.HARD,
    "email_spam": ReportedType.BLOCK,
}
_CAMPAIGN_HEADER = "x-campaign"
_ON_THE_LIST = frozenset({"email_blocklisted", "blocklist_created"})
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - as SNS, whose clone this is
_PLACE = r"https://[a-z0-9-]+(?:\.[a-z0-9-]+){0,4}\.(?:scaleway\.com|scw\.cloud)"
_CERTIFICATE_URL = re.compile(_PLACE + r"/[A-Za-z0-9/_.-]{1,300}\.(?:pem|crt)", re.ASCII)
_SUBSCRIBE_URL = re.compile(r"https://sns\.mnq\.[a-z]{2}-[a-z]{3}\.scaleway\.com/?\?[!-\"$-\[\]-~]{1,2000}", re.ASCII)
_AHEAD = timedelta(hours=1)
_RAW_UNPROVEN = Refused("raw delivery is not signed: the source needs auth")
_SAMPLE_TOPIC = "arn:scw:sns:fr-par:project-5ca1e000-0000-4000-8000-0000000000bb:hopp"
_SAMPLE_CERTIFICATE_URL = "https://sns.mnq.fr-par.scaleway.com/hopp-sample.pem"
_SAMPLE_YEARS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC))


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    """By the envelope's signature; by the source's static secret alone where `auth` names one, which then need not be an authority."""
    if trust.auth is not None:
        return verify_static(request, trust)
    envelope = sns.envelope_in(request.body)
    if envelope is None:
        return _RAW_UNPROVEN
    if text(envelope, "TopicArn") not in trust.options.get("topic_arns", ()):
        return Refused("the topic is not on the source's topic_arns")
    refused = refuse_age(moment_of(envelope.get("Timestamp")), now, past=sns.WINDOW, future=_AHEAD)
    return refused or _verify_signature(envelope, trust, now)


def _verify_signature(envelope: JsonObject, trust: SourceTrust, now: datetime) -> Verification:
    url, algorithm = text(envelope, "SigningCertURL") or "", _HASHES.get(text(envelope, "SignatureVersion") or "")
    if not _CERTIFICATE_URL.fullmatch(url) or algorithm is None:
        return Refused("the certificate's address is not Scaleway's, or the signature's version is not known")
    message, signature = sns.string_to_sign(envelope), decoded(text(envelope, "Signature", limit=2_000) or "")
    if message is None or not signature:
        return NO_SIGNATURE
    if not any(trust.secrets):
        return NO_SECRET
    pem = trust.certificates.get(url)
    if pem is None:
        return NeedsCertificate(url)
    key = chained_key(pem, trust.secrets, now)
    if key is None:
        return Refused("no valid chain leads from the certificate to an authority in the source's secrets")
    return verdict(proven=rsa_holds(key, signature, message, algorithm))


def _parse(delivery: Delivery) -> Parsed:
    envelope = sns.envelope_in(delivery.body)
    if envelope is None:
        return _parse_message(delivery.body)
    match text(envelope, "Type"):
        case sns.NOTIFICATION:
            message = envelope.get("Message")
            if not isinstance(message, str):
                raise UnreadableError("the envelope holds no Message")
            return _parse_message(message.encode())
        case sns.SUBSCRIPTION:
            return _parse_subscription(envelope)
        case sns.UNSUBSCRIPTION:
            return Parsed(events=(_unsubscription(envelope),))
        case unknown:
            raise UnreadableError(f"envelopes of type {unknown!r} are not known")


def _parse_subscription(envelope: JsonObject) -> Parsed:
    url = text(envelope, "SubscribeURL", limit=3_000) or ""
    asked = parse_qs(urlsplit(url).query, keep_blank_values=True) if _SUBSCRIBE_URL.fullmatch(url) else {}
    if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [text(envelope, "TopicArn")]:
        error = NotAnEventError("the SubscribeURL is no confirmation of this topic at Scaleway")
        return Parsed(problems=(problem_with(envelope, error),))
    return Parsed(acts=(ConfirmSubscription(url=url),))


def _unsubscription(envelope: JsonObject) -> Event:
    """Worth a look by people; its SubscribeURL would subscribe us again and is never fetched."""
    message_id, occurred_at = text(envelope, "MessageId"), moment_of(envelope.get("Timestamp"))
    return Event(
        kind=EventKind.OTHER,
        esp="scaleway",
        occurred_at=occurred_at,
        esp_event_id=message_id,
        esp_event_type=sns.UNSUBSCRIPTION,
        identity=identity_of(sns.UNSUBSCRIPTION, message_id, occurred_at),
    )


def _parse_message(body: bytes) -> Parsed:
    return read_items([jsontext.load_object(body)], _read, known=_KINDS)


def _read(item: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(item, "type")
    kind = _KINDS.get(event_type, EventKind.OTHER)
    words = text(item, "email_response_message", MAX_DIAGNOSTIC) or text(item, "email_error", MAX_DIAGNOSTIC)
    reply = read_reply(words, code=item.get("email_response_code"))
    headers = {name: text(pair, "value") or "" for pair in objects(item, "email_headers") if (name := text(pair, "key"))}
    named = {name.lower(): value for name, value in headers.items() if value}
    metadata = jsontext.text_map({name: value for name, value in headers.items() if name.lower() != "subject"})
    event_id, message_id, occurred_at = text(item, "id"), text(item, "email_id"), moment_of(item.get("created_at"))
    yield Event(
        kind=kind,
        esp="scaleway",
        recipient=address_of(item.get("email_to")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=_REPORTED.get(event_type),
        esp_class=text(item, "blocklist_type"),
        esp_subclass=text(item, "blocklist_reason"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        campaign=campaign_in(metadata) or named.get(_CAMPAIGN_HEADER),
        metadata=metadata,
        subject=named.get("subject"),
        suppressed_by_esp=True if event_type in _ON_THE_LIST else None,
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=_identity(kind, event_type, message_id, event_id or occurred_at),
    )


def _identity(kind: EventKind, event_type: str, message_id: str | None, told: object) -> tuple[str, ...]:
    """A mail to one recipient bounces once, whichever of its two events tells of it."""
    if kind is EventKind.BOUNCED and message_id is not None:
        return identity_of("bounced", message_id)
    return identity_of("id", told, event_type, message_id)


def _make_keys(chance: bytes) -> SigningKeys:
    """A certificate that is its own authority; RSA keys cannot be derived, so the chance is the library's own."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = certificate_pem(key, *_SAMPLE_YEARS)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    options = {"topic_arns": (_SAMPLE_TOPIC,)}
    trust = SourceTrust(secrets=(pem.decode(),), options=options, certificates={_SAMPLE_CERTIFICATE_URL: pem})
    return SigningKeys(private=private.decode(), trust=trust)


def _sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    """An envelope is signed anew, all else is put into one."""
    digest = hashlib.sha256(request.body).hexdigest()[:32]
    wrapped = {"Type": sns.NOTIFICATION, "MessageId": digest, "Message": request.body.decode("utf-8", "replace")}
    envelope = {
        **(sns.envelope_in(request.body) or wrapped),
        "TopicArn": _SAMPLE_TOPIC,
        "Timestamp": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "2",
        "SigningCertURL": _SAMPLE_CERTIFICATE_URL,
    }
    envelope["Signature"] = sign_rsa(keys.private, sns.string_to_sign(envelope) or b"")
    return replace(request, body=json.dumps(envelope).encode())


ADAPTER = Adapter(
    name="scaleway",
    title="Scaleway Transactional Email",
    verify=_verify,
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=True, smtp_text=True, remote_host=False, sending_ip=False, engagement=False
    ),
    signer=Signer(make_keys=_make_keys, sign=_sign),
    answers=Answers(refused=403),
    schemes=("signature", *STATIC_SCHEMES),
    replay_window_hours=sns.WINDOW.total_seconds() / 3_600,
    find_flaw=checked_secrets(
        is_certificate, "is no certificate as PEM. Keep Scaleway's authority for the region in a file and name that: file:PATH."
    ),
    guide=(
        "Make a topic in Topics and Events, name it in `topic_arns`, point a webhook of the domain at it with all event types, and "
        "subscribe the address over HTTPS. `secrets` hold Scaleway's long-term authority for the region as PEM (`file:…`), not the "
        "signing certificate."
    ),
)
