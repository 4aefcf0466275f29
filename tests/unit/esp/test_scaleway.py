"""Which of Scaleway's envelopes are believed, and is a refusal that is told twice one event?"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.esp.scaleway import ADAPTER
from service.esp_kit.adapter import Accepted, NeedsCertificate, Refused, Verification, WebhookRequest
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
KEYS = ADAPTER.signer.make_keys(b"")
MESSAGE = {"type": "email_dropped", "id": "e-1", "email_id": "m-1", "email_to": "b.kim@hanbit-chem.example"}


def request_of(body: object) -> WebhookRequest:
    return WebhookRequest(method="POST", url="", headers={}, query="", body=json.dumps(body).encode())


def envelope(**fields: object) -> dict[str, object]:
    """A signed notification, then changed."""
    signed: dict[str, object] = json.loads(ADAPTER.signer.sign(request_of(MESSAGE), KEYS, NOW).body)
    return {**signed, **fields}


def verify(changed: object) -> Verification:
    return ADAPTER.verify(request_of(changed), KEYS.trust, NOW)


def parse(body: object) -> Event:
    (event,) = ADAPTER.parse(Delivery(id="0" * 32, source="s", received_at=NOW, body=json.dumps(body).encode())).events
    return event


@pytest.mark.parametrize(
    "fields",
    [
        {"TopicArn": "arn:scw:sns:fr-par:project-other:hopp"},
        {"SigningCertURL": "https://sns.mnq.fr-par.scaleway.com.evil.example/a.pem"},
        {"SigningCertURL": "http://sns.mnq.fr-par.scaleway.com/a.pem"},
        {"SigningCertURL": "https://user@sns.mnq.fr-par.scaleway.com/a.pem"},
        {"SigningCertURL": "https://sns.mnq.fr-par.scaleway.com/a.pem?x=1"},
        {"SignatureVersion": "3"},
        {"Signature": ""},
        {"Timestamp": "2026-01-01T00:00:00Z"},
        {"Message": "other"},
    ],
    ids=str,
)
def test_changed_envelope_is_refused(fields: dict[str, object]) -> None:
    assert isinstance(verify(envelope(**fields)), Refused)


def test_certificate_is_asked_for_at_scaleway_alone() -> None:
    url = "https://messaging.s3.nl-ams.scw.cloud/sns/signing.crt"
    assert verify(envelope(SigningCertURL=url)) == NeedsCertificate(url)


def test_source_without_an_authority_believes_nothing() -> None:
    for secrets in ((), ("no certificate",)):
        assert isinstance(ADAPTER.verify(request_of(envelope()), replace(KEYS.trust, secrets=secrets), NOW), Refused)


def test_raw_delivery_needs_a_secret_of_its_own() -> None:
    assert isinstance(verify(MESSAGE), Refused)
    trust = replace(KEYS.trust, secrets=("s",), auth="header:x-secret")
    assert ADAPTER.verify(replace(request_of(MESSAGE), headers={"x-secret": "s"}), trust, NOW) == Accepted()


def test_refusal_told_as_dropped_and_as_mailbox_not_found_is_one_event() -> None:
    dropped, not_found = parse(MESSAGE), parse({**MESSAGE, "type": "email_mailbox_not_found", "id": "e-2"})
    assert dropped.kind is not_found.kind
    assert dropped.identity == not_found.identity
    assert parse({**MESSAGE, "type": "email_deferred"}).identity != dropped.identity


@pytest.mark.parametrize("changed", [{"Type": "Whatever"}, {"Message": {"type": "email_dropped"}}])
def test_envelope_that_holds_no_message_is_unreadable(changed: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        parse(envelope(**changed))
