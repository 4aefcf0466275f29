"""How are samples signed with a private key, the way the ESPs sign? The other side of verify_keys and sns."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from service.esp_kit.adapter import SigningKeys, SourceTrust, WebhookRequest
from service.esp_kit.jsontext import JsonObject
from service.esp_kit.proof import as_bytes
from service.esp_kit.sns import NOTIFICATION, envelope_in, string_to_sign

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SAMPLE_TOPIC = "arn:aws:sns:eu-west-1:000000000000:hopp-ses"
SAMPLE_CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
_VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(2099, 12, 31, tzinfo=UTC)
_RSA_BITS = 2_048


def ecdsa_keys(chance: bytes) -> SigningKeys:
    """A P-256 pair; the source holds the public half as DER in Base64."""
    key = ec.derive_private_key(int.from_bytes(chance[:31], "big") + 1, ec.SECP256R1())
    return SigningKeys(private=_pem(key), trust=SourceTrust(secrets=(public_text(key),)))


def rsa_keys(chance: bytes) -> SigningKeys:
    """An RSA pair; the source holds the public half as DER in Base64. RSA keys cannot be derived, so the chance is the library's own."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
    return SigningKeys(private=_pem(key), trust=SourceTrust(secrets=(public_text(key),)))


def sns_keys(chance: bytes) -> SigningKeys:
    """An RSA pair with a certificate of its own in the place of Amazon's, and the samples' topic on the list."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
    certificates = {SAMPLE_CERTIFICATE_URL: certificate_pem(key, _VALID_FROM, _VALID_UNTIL)}
    trust = SourceTrust(secrets=(), options={"topic_arns": (SAMPLE_TOPIC,)}, certificates=certificates)
    return SigningKeys(private=_pem(key), trust=trust)


def sign_ecdsa(private: str, message: bytes) -> str:
    """ECDSA over SHA-256, as DER in Base64."""
    key = serialization.load_pem_private_key(as_bytes(private), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("signing with ECDSA takes a key on an elliptic curve")
    return base64.b64encode(key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()


def sign_rsa(private: str, message: bytes) -> str:
    """RSA with PKCS#1 v1.5 over SHA-256, in Base64."""
    key = serialization.load_pem_private_key(as_bytes(private), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("signing with RSA takes an RSA key")
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def sign_sns(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    """The body as an SNS envelope of the samples' topic, signed by version 2; an envelope is signed anew, all else is put into one."""
    envelope = dict(envelope_in(request.body) or _wrapped(request.body))
    envelope |= {
        "TopicArn": SAMPLE_TOPIC,
        "Timestamp": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "2",
        "SigningCertURL": SAMPLE_CERTIFICATE_URL,
    }
    envelope["Signature"] = sign_rsa(keys.private, string_to_sign(envelope) or b"")
    return replace(request, body=json.dumps(envelope).encode())


def certificate_pem(key: PrivateKey, valid_from: datetime, valid_until: datetime) -> bytes:
    """A certificate that the key gave itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.example")])
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1)
    certificate = builder.not_valid_before(valid_from).not_valid_after(valid_until).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def public_text(key: PrivateKey) -> str:
    """The public half as ESPs show it: DER of the SubjectPublicKeyInfo in Base64."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _wrapped(body: bytes) -> JsonObject:
    return {"Type": NOTIFICATION, "MessageId": hashlib.sha256(body).hexdigest()[:32], "Message": body.decode("utf-8", "replace")}


def _pem(key: PrivateKey) -> str:
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode()
