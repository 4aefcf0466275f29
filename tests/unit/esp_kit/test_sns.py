"""Does an SNS envelope prove that it comes from one of our topics, and which addresses in it may be fetched?"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from service.esp_kit.adapter import Accepted, NeedsCertificate, Refused, SourceTrust, Verification, WebhookRequest
from service.esp_kit.certificates import signing_key
from service.esp_kit.reading import NotAnEventError
from service.esp_kit.sign_keys import SAMPLE_CERTIFICATE_URL, SAMPLE_TOPIC, certificate_pem, ecdsa_keys, sign_sns, sns_keys
from service.esp_kit.sns import certificate_url, confirmation_in, envelope_in, string_to_sign, verify_envelope

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
KEYS = sns_keys(b"")
HOST = "https://sns.eu-west-1.amazonaws.com"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={SAMPLE_TOPIC}&Token=abc"


def envelope(**fields: object) -> dict[str, object]:
    """A signed notification, then changed."""
    request = WebhookRequest(method="POST", url="", headers={}, query="", body=b'{"eventType":"Send"}')
    signed: dict[str, object] = json.loads(sign_sns(request, KEYS, NOW).body)
    return {**signed, **fields}


def verify(changed: dict[str, object], trust: SourceTrust = KEYS.trust, now: datetime = NOW) -> Verification:
    return verify_envelope(changed, trust, now)


def signed_by_hand(fields: Mapping[str, object], algorithm: hashes.HashAlgorithm) -> dict[str, object]:
    """Signed over lines written out here, not by the code under test."""
    names = sorted(name for name in fields if name not in {"SigningCertURL", "SignatureVersion"})
    message = "".join(f"{name}\n{fields[name]}\n" for name in names)
    key = serialization.load_pem_private_key(KEYS.private.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return {**fields, "Signature": base64.b64encode(key.sign(message.encode(), padding.PKCS1v15(), algorithm)).decode()}


BY_HAND = {
    "Message": "hello\nworld",
    "MessageId": "m1",
    "Subject": "Ümlaut",
    "Timestamp": "2026-01-05T11:59:00.000Z",
    "TopicArn": SAMPLE_TOPIC,
    "Type": "Notification",
    "SigningCertURL": SAMPLE_CERTIFICATE_URL,
}


@pytest.mark.parametrize(("version", "algorithm"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])  # noqa: S303 - Amazon's version 1 is SHA-1
def test_both_versions_verify_and_one_can_be_demanded(version: str, algorithm: hashes.HashAlgorithm) -> None:
    fields = signed_by_hand({**BY_HAND, "SignatureVersion": version}, algorithm)
    only_two = replace(KEYS.trust, options={**KEYS.trust.options, "signature_versions": ("2",)})
    assert verify(fields) == Accepted()
    assert isinstance(verify(fields, only_two), Refused) == (version == "1")


def test_version_is_not_believed_over_the_signature() -> None:
    fields = signed_by_hand({**BY_HAND, "SignatureVersion": "2"}, hashes.SHA256())
    assert isinstance(verify({**fields, "SignatureVersion": "1"}), Refused)


def test_confirmations_sign_their_token_and_address() -> None:
    fields = {**BY_HAND, "Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": CONFIRM, "SignatureVersion": "2"}
    del fields["Subject"]
    signed = signed_by_hand(fields, hashes.SHA256())
    assert verify(signed) == Accepted()
    assert verify(signed_by_hand({**fields, "Type": "UnsubscribeConfirmation"}, hashes.SHA256())) == Accepted()
    assert isinstance(verify({**signed, "SubscribeURL": CONFIRM + "d"}), Refused)


def test_string_to_sign_ends_with_a_newline_and_leaves_an_absent_subject_out() -> None:
    without = {name: value for name, value in BY_HAND.items() if name != "Subject"}
    assert string_to_sign({**BY_HAND, "Subject": None}) == string_to_sign(without)
    assert (string_to_sign(without) or b"").endswith(b"Type\nNotification\n")
    assert string_to_sign({**BY_HAND, "Message": 7}) is None
    assert string_to_sign({**BY_HAND, "Type": "Other"}) is None


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Subject"])
def test_change_to_a_signed_field_is_refused(name: str) -> None:
    assert isinstance(verify(envelope(**{name: "2026-01-05T12:00:00.001Z"})), Refused)


@pytest.mark.parametrize(
    "fields",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:hopp-ses"},
        {"TopicArn": None},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"SigningCertURL": None},
        {"Signature": None},
        {"Signature": "no base64 é"},
        {"Timestamp": "yesterday"},
        {"Type": "Other"},
    ],
)
def test_incomplete_or_foreign_envelope_is_refused(fields: dict[str, object]) -> None:
    assert isinstance(verify(envelope(**fields)), Refused)


@pytest.mark.parametrize("topics", [(), ("arn:aws:sns:eu-west-1:000000000000:other",)])
def test_topic_that_is_not_listed_is_refused_before_any_fetch(topics: tuple[str, ...]) -> None:
    trust = SourceTrust(secrets=(), options={"topic_arns": topics})
    assert isinstance(verify(envelope(), trust), Refused)
    assert isinstance(verify(envelope(), SourceTrust(secrets=())), Refused)


def test_age_is_bounded() -> None:
    assert isinstance(verify(envelope(), now=NOW + timedelta(hours=24, minutes=1)), Refused)
    assert isinstance(verify(envelope(), now=NOW - timedelta(hours=1, minutes=1)), Refused)
    assert verify(envelope(), now=NOW + timedelta(hours=23)) == Accepted()


def test_unknown_certificate_is_asked_for() -> None:
    trust = replace(KEYS.trust, certificates={})
    assert verify(envelope(), trust) == NeedsCertificate(SAMPLE_CERTIFICATE_URL)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        sns_keys(b"").trust.certificates[SAMPLE_CERTIFICATE_URL],
    ],
    ids=["empty", "text", "broken", "of another key"],
)
def test_wrong_certificate_is_refused(pem: bytes) -> None:
    assert isinstance(verify(envelope(), replace(KEYS.trust, certificates={SAMPLE_CERTIFICATE_URL: pem})), Refused)


def test_certificate_is_valid_between_its_dates_only() -> None:
    key = serialization.load_pem_private_key(KEYS.private.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    pem = certificate_pem(key, NOW - timedelta(days=1), NOW + timedelta(days=1))
    trust = replace(KEYS.trust, certificates={SAMPLE_CERTIFICATE_URL: pem})
    assert verify(envelope(), trust) == Accepted()
    assert signing_key(pem, NOW - timedelta(days=2)) is None
    assert signing_key(pem, NOW + timedelta(days=2)) is None


def test_certificate_with_another_kind_of_key_vouches_for_nothing() -> None:
    key = serialization.load_pem_private_key(ecdsa_keys(bytes(32)).private.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert signing_key(certificate_pem(key, NOW - timedelta(days=1), NOW + timedelta(days=1)), NOW) is None


def test_certificate_with_a_key_that_nobody_knows_vouches_for_nothing() -> None:
    der = base64.b64decode(b"".join(KEYS.trust.certificates[SAMPLE_CERTIFICATE_URL].splitlines()[1:-1]))
    rsa_encryption = bytes.fromhex("2a864886f70d010101")  # the object identifier of RSA keys
    pem = b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n"
    unknown = pem % base64.encodebytes(der.replace(rsa_encryption, rsa_encryption[:-1] + b"\x63"))
    assert signing_key(unknown, NOW) is None


@pytest.mark.parametrize(
    ("topic", "url"),
    [
        (SAMPLE_TOPIC, "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"),
        ("arn:aws-cn:sns:cn-north-1:1:t", "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0123456789abcdef.pem"),
        ("arn:aws-us-gov:sns:us-gov-west-1:1:t", "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-ABC.pem"),
    ],
)
def test_amazons_certificate_addresses_are_allowed(topic: str, url: str) -> None:
    assert certificate_url({"TopicArn": topic, "SigningCertURL": url}) == url
    assert certificate_url({"TopicArn": topic, "SigningCertUrl": url}) == url


@pytest.mark.parametrize(
    "topic",
    ["arn:aws:sns:us-east-1:000000000000:hopp-ses", "arn:aws-cn:sns:cn-north-1:1:t", "arn:aws:sqs:eu-west-1:1:t", "hopp-ses", "", None],
)
def test_certificate_of_another_region_than_the_topics_is_never_fetched(topic: str | None) -> None:
    assert certificate_url({"TopicArn": topic, "SigningCertURL": SAMPLE_CERTIFICATE_URL}) is None
    with pytest.raises(NotAnEventError, match="region"):
        confirmation_in({"SubscribeURL": CONFIRM, "TopicArn": topic})


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com.example.com/SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com.evil/SimpleNotificationService-0123.pem",
        "https://example.com/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com@example.com/SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem#x",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0123.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem\n",
        "https://sns.eu-west-1.amazonaws.com\\@example.com/SimpleNotificationService-0123.pem",
        "https://sns.eu.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0123.pem",
        "https://sns.a.b.amazonaws.com/SimpleNotificationService-0123.pem",
        "",
    ],
)
def test_any_other_certificate_address_is_refused(url: str) -> None:
    assert certificate_url({"TopicArn": SAMPLE_TOPIC, "SigningCertURL": url}) is None
    assert isinstance(verify(envelope(SigningCertURL=url)), Refused)


def test_confirmation_of_the_topic_may_be_fetched() -> None:
    assert confirmation_in({"SubscribeURL": CONFIRM, "TopicArn": SAMPLE_TOPIC}).url == CONFIRM


@pytest.mark.parametrize(
    "url",
    [
        "",
        CONFIRM.replace("https", "http"),
        CONFIRM.replace("amazonaws.com", "amazonaws.com.example.com"),
        CONFIRM.replace("/?", "/path?"),
        CONFIRM.replace("sns.", "me@sns."),
        CONFIRM.replace(".com/", ".com:444/"),
        CONFIRM.replace("ConfirmSubscription", "Unsubscribe"),
        CONFIRM.replace("Action=", "action="),
        CONFIRM + "&Action=Publish",
        CONFIRM.replace("hopp-ses", "theirs"),
        CONFIRM + "#fragment",
        CONFIRM + " ",
        CONFIRM + "\r\nHost: example.com",
    ],
)
def test_any_other_subscribe_address_is_never_fetched(url: str) -> None:
    with pytest.raises(NotAnEventError, match="SubscribeURL"):
        confirmation_in({"SubscribeURL": url, "TopicArn": SAMPLE_TOPIC})


@pytest.mark.parametrize("body", [b"", b"[]", b"text", b'{"eventType":"Send"}', b'{"Type":7}'])
def test_raw_delivery_is_no_envelope(body: bytes) -> None:
    assert envelope_in(body) is None
