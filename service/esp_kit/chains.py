"""Which key does a fetched certificate vouch for, if one of the source's own authorities stands behind it?

For senders whose signing certificate changes every year while the authority that issues it stays for long.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from service.esp_kit.certificates import signing_key
from service.esp_kit.proof import as_bytes

_LONGEST_CHAIN = 6


def chained_key(pem: bytes, authorities: Iterable[str], now: datetime) -> rsa.RSAPublicKey | None:
    """The RSA key of the PEM's first certificate; None where no chain of valid certificates leads from it to an authority."""
    chain = _certificates(pem)
    trusted = [certificate for authority in authorities for certificate in _certificates(as_bytes(authority))]
    return signing_key(pem, now) if chain and _leads_to(chain, trusted, now) else None


def is_certificate(secret: str) -> bool:
    """Can `chained_key` believe anything by it?"""
    return bool(_certificates(as_bytes(secret)))


def _leads_to(chain: tuple[x509.Certificate, ...], trusted: list[x509.Certificate], now: datetime) -> bool:
    current, others = chain[0], [certificate for certificate in chain[1:] if _is_authority(certificate)]
    for _ in chain:
        if not _is_valid(current, now):
            return False
        if any(current == root or (_is_valid(root, now) and _has_issued(root, current)) for root in trusted):
            return True
        issuer = next((certificate for certificate in others if _has_issued(certificate, current)), None)
        if issuer is None:
            return False
        current = issuer
    return False


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_authority(certificate: x509.Certificate) -> bool:
    """Without this, whoever got a certificate of his own could issue more (RFC 5280, section 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=64)
def _certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(pem)[:_LONGEST_CHAIN])
    except ValueError:
        return ()
