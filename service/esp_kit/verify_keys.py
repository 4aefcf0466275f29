"""Was a request signed with the private half of a key whose public half the source holds?"""

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from service.esp_kit.adapter import Verification
from service.esp_kit.proof import NO_SECRET, NO_SIGNATURE, as_bytes, verdict

SHA256 = hashes.SHA256()
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def verify_ecdsa(message: bytes, signature: str, secrets: Iterable[str]) -> Verification:
    """ECDSA over SHA-256, the signature as DER in Base64; a secret is a public key, DER in Base64 or PEM."""
    keys = [key for secret in secrets if isinstance(key := public_key(secret), ec.EllipticCurvePublicKey)]
    if not keys:
        return NO_SECRET
    given = decoded(signature)
    return verdict(proven=any([ecdsa_holds(key, given, message) for key in keys])) if given else NO_SIGNATURE


def verify_rsa(message: bytes, signature: str, secrets: Iterable[str], algorithm: hashes.HashAlgorithm = SHA256) -> Verification:
    """RSA with PKCS#1 v1.5, the signature in Base64; a secret is a public key, DER in Base64 or PEM."""
    keys = [key for secret in secrets if isinstance(key := public_key(secret), rsa.RSAPublicKey)]
    if not keys:
        return NO_SECRET
    given = decoded(signature)
    return verdict(proven=any([rsa_holds(key, given, message, algorithm) for key in keys])) if given else NO_SIGNATURE


@lru_cache(maxsize=256)
def public_key(written: str) -> PublicKey | None:
    """The public key in a PEM text or in the Base64 of its DER; None where there is none."""
    try:
        if "-----BEGIN" in written:
            key = serialization.load_pem_public_key(as_bytes(written))
        else:
            key = serialization.load_der_public_key(decoded(written))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PublicKey) else None


def is_ecdsa_key(secret: str) -> bool:
    """Can `verify_ecdsa` do anything with it?"""
    return isinstance(public_key(secret), ec.EllipticCurvePublicKey)


def is_rsa_key(secret: str) -> bool:
    """Can `verify_rsa` do anything with it?"""
    return isinstance(public_key(secret), rsa.RSAPublicKey)


def decoded(written: str) -> bytes:
    """The bytes behind a Base64 text, line breaks allowed; none where it is no Base64."""
    try:
        return base64.b64decode("".join(written.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""


def ecdsa_holds(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Did the key's private half sign this message?"""
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def rsa_holds(key: rsa.RSAPublicKey, signature: bytes, message: bytes, algorithm: hashes.HashAlgorithm) -> bool:
    """Did the key's private half sign this message with this hash?"""
    try:
        key.verify(signature, message, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
