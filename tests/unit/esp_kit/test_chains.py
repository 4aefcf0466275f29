"""Does a chain of certificates lead to an authority of the source, and is each link in it allowed to issue the next?"""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from service.esp_kit.chains import chained_key

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
ROOT, MIDDLE, LEAF, STRANGER = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(4))


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(
    subject: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    issuer: str,
    issuing: rsa.RSAPrivateKey,
    *,
    is_authority: bool = True,
    ends: timedelta = YEAR,
) -> bytes:
    builder = x509.CertificateBuilder(
        subject_name=name_of(subject), issuer_name=name_of(issuer), public_key=key.public_key(), serial_number=1
    )
    builder = builder.not_valid_before(NOW - YEAR).not_valid_after(NOW + ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    return builder.sign(issuing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


ROOT_PEM = certificate("root", ROOT, "root", ROOT)
MIDDLE_PEM = certificate("middle", MIDDLE, "root", ROOT)
LEAF_PEM = certificate("leaf", LEAF, "middle", MIDDLE, is_authority=False)


def is_trusted(pem: bytes, *authorities: bytes, now: datetime = NOW) -> bool:
    key = chained_key(pem, [authority.decode() for authority in authorities], now)
    assert key is None or key.public_numbers() == LEAF.public_key().public_numbers()
    return key is not None


def test_chain_to_an_authority_is_trusted_in_any_order_and_with_several_authorities() -> None:
    stranger = certificate("stranger", STRANGER, "stranger", STRANGER)
    assert is_trusted(LEAF_PEM + MIDDLE_PEM, ROOT_PEM)
    assert is_trusted(LEAF_PEM + ROOT_PEM + MIDDLE_PEM, stranger, ROOT_PEM)
    assert is_trusted(LEAF_PEM, MIDDLE_PEM)


def test_pinned_certificate_is_trusted_by_itself() -> None:
    assert is_trusted(LEAF_PEM, LEAF_PEM)


@pytest.mark.parametrize("pem", [LEAF_PEM, MIDDLE_PEM + LEAF_PEM, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_chain_that_is_broken_is_not_trusted(pem: bytes) -> None:
    key = chained_key(pem, [ROOT_PEM.decode()], NOW)
    assert key is None or key.public_numbers() != LEAF.public_key().public_numbers()


def test_authority_of_the_same_name_with_another_key_is_not_trusted() -> None:
    assert not is_trusted(LEAF_PEM + MIDDLE_PEM, certificate("root", STRANGER, "root", STRANGER))


def test_no_authority_trusts_nothing() -> None:
    assert not is_trusted(LEAF_PEM + MIDDLE_PEM)
    assert not is_trusted(LEAF_PEM + MIDDLE_PEM, b"no certificate")


def test_ordinary_certificate_may_not_issue_another() -> None:
    """Whoever got a certificate from the authority could else sign as anybody."""
    ordinary = certificate("middle", MIDDLE, "root", ROOT, is_authority=False)
    assert not is_trusted(LEAF_PEM + ordinary, ROOT_PEM)


def test_certificate_that_does_not_say_so_may_not_issue_another() -> None:
    builder = x509.CertificateBuilder(name_of("root"), name_of("middle"), MIDDLE.public_key(), 1, NOW - YEAR, NOW + YEAR)
    silent = builder.sign(ROOT, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    assert not is_trusted(LEAF_PEM + silent, ROOT_PEM)


@pytest.mark.parametrize("now", [NOW - 2 * YEAR, NOW + 2 * YEAR])
def test_certificates_out_of_date_are_not_trusted(now: datetime) -> None:
    assert not is_trusted(LEAF_PEM + MIDDLE_PEM, ROOT_PEM, now=now)


def test_link_out_of_date_breaks_the_chain() -> None:
    expired = certificate("middle", MIDDLE, "root", ROOT, ends=-timedelta(days=1))
    expired_root = certificate("root", ROOT, "root", ROOT, ends=-timedelta(days=1))
    assert not is_trusted(LEAF_PEM + expired, ROOT_PEM)
    assert not is_trusted(LEAF_PEM + MIDDLE_PEM, expired_root)


def test_certificates_that_issue_each_other_end_the_search() -> None:
    one = certificate("one", MIDDLE, "two", STRANGER)
    two = certificate("two", STRANGER, "one", MIDDLE)
    assert not is_trusted(certificate("leaf", LEAF, "one", MIDDLE) + one + two, ROOT_PEM)


def test_key_of_another_kind_is_not_given_out() -> None:
    curved = certificate("leaf", ec.generate_private_key(ec.SECP256R1()), "root", ROOT, is_authority=False)
    assert chained_key(curved, [ROOT_PEM.decode()], NOW) is None
