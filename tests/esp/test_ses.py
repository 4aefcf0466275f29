"""What is Amazon SES's own?"""

import json
from dataclasses import replace

import pytest

from service.esp.ses import ADAPTER
from service.esp_kit.adapter import Accepted, NeedsCertificate, Refused, SourceTrust
from service.esp_kit.sign import basic_keys, sign_basic
from service.esp_kit.sign_keys import SAMPLE_CERTIFICATE_URL
from service.model.errors import UnreadableError
from tests.esp.cases import CASES, CHANCE, NOW, delivery_of, keys_of, request_of, signed

RAW = next(case for case in CASES if str(case) == "ses-delivery-raw")
ENVELOPE = next(case for case in CASES if str(case) == "ses-bounce-permanent-general")


def test_raw_delivery_is_refused_without_a_secret_of_its_own() -> None:
    assert isinstance(ADAPTER.verify(request_of(RAW.body, {}), keys_of(ADAPTER).trust, NOW), Refused)
    assert isinstance(ADAPTER.verify(request_of(b"text", {}), keys_of(ADAPTER).trust, NOW), Refused)


def test_raw_delivery_with_basic_auth_is_accepted() -> None:
    keys = basic_keys(CHANCE)
    assert ADAPTER.verify(sign_basic(request_of(RAW.body, {}), keys, NOW), keys.trust, NOW) == Accepted()


def test_first_post_without_credentials_is_answered_with_a_challenge() -> None:
    refused = ADAPTER.verify(request_of(RAW.body, {}), basic_keys(CHANCE).trust, NOW)
    assert isinstance(refused, Refused)
    assert (refused.challenge or "").startswith("Basic")


def test_secret_does_not_stand_in_for_an_envelopes_signature() -> None:
    """A subscription that is confirmed for a stranger would send us his events with our own password."""
    keys = basic_keys(CHANCE)
    sns = keys_of(ADAPTER).trust
    forged, true = (sign_basic(request, keys, NOW) for request in (request_of(ENVELOPE.body, {}), signed(ENVELOPE)))
    assert isinstance(ADAPTER.verify(forged, keys.trust, NOW), Refused)
    both = replace(keys.trust, options=sns.options, certificates=sns.certificates)
    assert isinstance(ADAPTER.verify(forged, both, NOW), Refused)
    assert ADAPTER.verify(true, both, NOW) == Accepted()
    assert isinstance(ADAPTER.verify(signed(ENVELOPE), both, NOW), Refused)


def test_unknown_certificate_is_asked_for() -> None:
    trust = SourceTrust(secrets=(), options=keys_of(ADAPTER).trust.options)
    assert ADAPTER.verify(signed(ENVELOPE), trust, NOW) == NeedsCertificate(SAMPLE_CERTIFICATE_URL)


def test_same_event_over_another_topic_is_the_same_event() -> None:
    envelope = json.loads(ENVELOPE.body)
    other = json.dumps({**envelope, "MessageId": "another", "TopicArn": "another", "Timestamp": "2026-01-05T09:00:00.000Z"}).encode()
    first, second = (ADAPTER.parse(delivery_of(body, {})).events[0] for body in (ENVELOPE.body, other))
    raw = ADAPTER.parse(delivery_of(envelope["Message"].encode(), {})).events[0]
    assert first.identity == second.identity == raw.identity


@pytest.mark.parametrize("fields", [{"Type": "Surprise"}, {"Message": None}, {"Message": "no JSON"}, {"Message": "[]"}])
def test_envelope_that_holds_no_message_is_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        ADAPTER.parse(delivery_of(json.dumps({**json.loads(ENVELOPE.body), **fields}).encode(), {}))
