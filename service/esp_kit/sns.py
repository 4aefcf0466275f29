"""Does an SNS envelope prove that it comes from one of our topics, and which addresses in it may be fetched?

A valid signature proves no more than "somebody's topic at Amazon": anyone may subscribe our URL to his own. So the topic has to be on
the source's list, and an empty list refuses all.
"""

import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes

from service.esp_kit import jsontext
from service.esp_kit.adapter import NeedsCertificate, Refused, SourceTrust, Verification
from service.esp_kit.certificates import signing_key
from service.esp_kit.dates import moment_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.proof import NO_SIGNATURE, as_bytes, refuse_age, verdict
from service.esp_kit.reading import NotAnEventError
from service.esp_kit.verify_keys import decoded, rsa_holds
from service.model.errors import UnreadableError
from service.model.events import ConfirmSubscription

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIPTION = "UnsubscribeConfirmation"

WINDOW = timedelta(hours=24)  # SNS tries for an hour at most; a copy inside the window is a duplicate and changes nothing
_AHEAD = timedelta(hours=1)
_ABOUT_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED_FIELDS = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _ABOUT_SUBSCRIPTION,
    UNSUBSCRIPTION: _ABOUT_SUBSCRIPTION,
}
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - Amazon's version 1 is SHA-1
VERSIONS = tuple(_HASHES)  # of signatures
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]{0,20}:sns:([a-z]{2}[a-z0-9-]{1,38}):[0-9]{1,20}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?", re.ASCII)
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[a-zA-Z0-9]{1,128}\.pem", re.ASCII)
_SUBSCRIBE_PATH = re.compile(r"/\?[!-\"$-\[\]-~]{1,2000}", re.ASCII)  # printable, no fragment, no backslash


def envelope_in(body: bytes) -> JsonObject | None:
    """The SNS envelope that the body is; None for anything else, raw delivery among it."""
    try:
        envelope = jsontext.load_object(body)
    except UnreadableError:
        return None
    return envelope if isinstance(envelope.get("Type"), str) else None


def verify_envelope(envelope: JsonObject, trust: SourceTrust, now: datetime) -> Verification:
    """Is the envelope signed by Amazon, fresh, and of one of the source's `topic_arns`?"""
    if text(envelope, "TopicArn") not in trust.options.get("topic_arns", ()):
        return Refused("the SNS topic is not on the source's topic_arns")
    refused = refuse_age(moment_of(envelope.get("Timestamp")), now, past=WINDOW, future=_AHEAD)
    if refused:
        return refused
    version = text(envelope, "SignatureVersion")
    if version not in _HASHES or version not in trust.options.get("signature_versions", VERSIONS):
        return Refused("the SNS signature version is not accepted")
    url = certificate_url(envelope)
    if url is None:
        return Refused("the SNS certificate's address is not Amazon's for the topic's region")
    return _verify_signature(envelope, trust, now, url=url, version=version)


def region_of(topic_arn: str) -> str | None:
    """The region in a topic's ARN; None where it is no ARN of an SNS topic."""
    found = _TOPIC_ARN.fullmatch(topic_arn)
    return found[1] if found else None


def certificate_url(envelope: JsonObject) -> str | None:
    """Where the signing certificate lies, if that is a place where Amazon keeps those of the topic's region."""
    url = text(envelope, "SigningCertURL") or text(envelope, "SigningCertUrl")
    return url if url and _is_at_amazon(url, envelope, _CERTIFICATE_PATH) else None


def confirmation_in(envelope: JsonObject) -> ConfirmSubscription:
    """The act that confirms the subscription; raises where the address is no confirmation of this very topic at Amazon."""
    url = text(envelope, "SubscribeURL", limit=3_000) or ""
    if not _is_at_amazon(url, envelope, _SUBSCRIBE_PATH):
        raise NotAnEventError("the SubscribeURL is not Amazon's for the topic's region")
    asked = parse_qs(urlsplit(url).query, keep_blank_values=True)
    if asked.get("Action") != ["ConfirmSubscription"]:
        raise NotAnEventError("the SubscribeURL does not ask for Action=ConfirmSubscription")
    if asked.get("TopicArn") != [text(envelope, "TopicArn")]:
        raise NotAnEventError("the SubscribeURL names another topic")
    return ConfirmSubscription(url=url)


def string_to_sign(envelope: JsonObject) -> bytes | None:
    """Each signed key and its value on lines of their own, with a newline after the last one too; None where one is missing."""
    names = _SIGNED_FIELDS.get(text(envelope, "Type") or "", ())
    present = [(name, envelope.get(name)) for name in names if name != "Subject" or envelope.get(name) is not None]
    if not present or not all(isinstance(value, str) for _, value in present):
        return None
    return as_bytes("".join(f"{name}\n{value}\n" for name, value in present))


def _is_at_amazon(url: str, envelope: JsonObject, path: re.Pattern[str]) -> bool:
    """Is it on the one host that speaks for the topic? A post must not choose whom we call."""
    region = region_of(text(envelope, "TopicArn") or "")
    if region is None:
        return False
    host = f"https://sns.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    return url.startswith(host) and path.fullmatch(url, len(host)) is not None


def _verify_signature(envelope: JsonObject, trust: SourceTrust, now: datetime, *, url: str, version: str) -> Verification:
    message, signature = string_to_sign(envelope), decoded(text(envelope, "Signature", limit=2_000) or "")
    if message is None or not signature:
        return NO_SIGNATURE
    pem = trust.certificates.get(url)
    if pem is None:
        return NeedsCertificate(url)
    key = signing_key(pem, now)
    if key is None:
        return Refused("the SNS certificate is unreadable or not valid now")
    return verdict(proven=rsa_holds(key, signature, message, _HASHES[version]))
