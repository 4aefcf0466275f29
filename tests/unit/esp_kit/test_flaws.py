"""Is a source whose secrets could never verify anything told so, without printing them?"""

import pytest

from service.esp import adapters
from service.esp_kit.adapter import SourceTrust
from service.esp_kit.flaws import flaw_of
from service.esp_kit.mapping import load_mapping
from service.esp_kit.sign_keys import SAMPLE_TOPIC

WHSEC = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
OWN_ESP = """
name = "examplemail"
title = "Examplemail"
[fields]
esp_event_type = "event"
recipient = "to"
[kinds]
delivered = "delivered"
[signature]
scheme = "standard_webhooks"
"""


def flaw(esp: str, *secrets: str, auth: str | None = None) -> str | None:
    """What is wrong with a source of this ESP."""
    return flaw_of(adapters()[esp], SourceTrust(secrets=secrets, auth=auth))


@pytest.mark.parametrize("esp", list(adapters()))
def test_what_the_esp_shows_has_no_flaw(esp: str) -> None:
    adapter = adapters()[esp]
    trust = adapter.signer.make_keys(bytes(range(32))).trust
    assert flaw_of(adapter, trust) is None
    assert flaw_of(adapter, SourceTrust(secrets=())) is None


@pytest.mark.parametrize(
    ("esp", "secret", "mend"),
    [
        ("sendgrid", "SG.not-a-key", "MFkw"),
        ("sendgrid", adapters()["postal"].signer.make_keys(b"").trust.secrets[0], "ECDSA"),
        ("postal", "MFkwEwYH", "p="),
        ("resend", "re_not_a_signing_secret", "whsec_"),
        ("resend", "whsec_", "whsec_"),
        ("mailersend", "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G", "everybody knows"),
        ("generic", "my secret", "whsec_"),
        ("scaleway", "-----BEGIN CERTIFICATE-----", "file:PATH"),
        ("mandrill", "test-webhook", "everybody knows"),
    ],
)
def test_secret_that_verifies_nothing_or_anybody_is_named_by_its_place(esp: str, secret: str, mend: str) -> None:
    good = adapters()[esp].signer.make_keys(bytes(range(32))).trust.secrets[0]
    found = flaw(esp, good, secret) or ""
    assert found.startswith("secret 2 of 2 is ")
    assert mend in found
    assert secret not in found.replace("begins with whsec_", "")


def test_other_proofs_than_the_signature_take_any_text() -> None:
    assert flaw("sendgrid", "any text", auth="token") is None
    assert flaw("resend", "any text", auth="header:X-Key") is None
    assert flaw("mailgun", "any text") is None


@pytest.mark.parametrize(("auth", "mend"), [("basic", "USER:PASSWORD"), ("header:", "names no header"), ("header: ", "names no header")])
def test_proof_that_nobody_could_give_is_a_flaw(auth: str, mend: str) -> None:
    assert mend in (flaw("postmark", "hopp", auth=auth) or "")
    assert flaw("postmark", "hopp:horse", auth="basic") is None


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ({"topic_arns": (SAMPLE_TOPIC, "hopp-ses")}, "'hopp-ses' is no ARN"),
        ({"topic_arns": ("arn:aws:sqs:eu-west-1:000000000000:hopp",)}, "is no ARN of an SNS topic"),
        ({"topic_arns": (SAMPLE_TOPIC,), "signature_versions": ("3",)}, "'3' is none"),
    ],
)
def test_topic_that_can_never_come_is_a_flaw(options: dict[str, tuple[str, ...]], mend: str) -> None:
    assert mend in (flaw_of(adapters()["ses"], SourceTrust(secrets=(), options=options)) or "")


def test_topics_and_versions_that_sns_has_are_none() -> None:
    options = {"topic_arns": (SAMPLE_TOPIC, "arn:aws-cn:sns:cn-north-1:1:t.fifo"), "signature_versions": ("2",)}
    assert flaw_of(adapters()["ses"], SourceTrust(secrets=(), options=options)) is None


def test_mapped_esp_that_signs_by_standard_webhooks_is_asked_too() -> None:
    adapter = load_mapping(OWN_ESP, "own.toml")
    assert flaw_of(adapter, SourceTrust(secrets=(WHSEC,))) is None
    assert "secret 1 of 1" in (flaw_of(adapter, SourceTrust(secrets=("not a secret",))) or "")
