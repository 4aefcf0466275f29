"""Which key does a fetched certificate vouch for, if it is valid at this moment?"""

from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa


def signing_key(pem: bytes, now: datetime) -> rsa.RSAPublicKey | None:
    """The RSA key of the first certificate in the PEM; None where it is unreadable, has another kind of key or is out of date."""
    certificate = _certificate(pem)
    if certificate is None or not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return None
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


@lru_cache(maxsize=64)
def _certificate(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None
