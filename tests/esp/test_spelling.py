"""Does an ESP's word mean the same in capitals and in small letters?"""

import pytest

from service.esp import adapters
from tests.esp.cases import CASES, delivery_of


@pytest.mark.parametrize(
    ("esp", "case", "written", "otherwise"),
    [
        ("azure", "bounced", b'"Bounced"', b'"bounced"'),
        ("azure", "view", b'"view"', b'"View"'),
        ("elastic_email", "error-nomailbox", b"NoMailbox", b"nomailbox"),
        ("elastic_email", "error-notdelivered", b"NotDelivered", b"Notdelivered"),
        ("elastic_email", "sent", b"Sent", b"SENT"),
        ("forward_email", "reject-block", b'"block"', b'"Block"'),
        ("powermta", "bounce-blocked", b'"spam-related"', b'"Spam-Related"'),
        ("smtp2go", "bounce-soft", b'"bounce": "soft"', b'"bounce": "Soft"'),
        ("smtp2go", "reject", b'"reject"', b'"Reject"'),
    ],
)
def test_a_word_means_the_same_in_other_letters(esp: str, case: str, written: bytes, otherwise: bytes) -> None:
    sample = next(sample for sample in CASES if (sample.esp, sample.case) == (esp, case))
    body = sample.body.replace(written, otherwise)
    assert body != sample.body
    (usual,), (other,) = (adapters()[esp].parse(delivery_of(each, sample.headers)).events for each in (sample.body, body))
    assert (other.kind, other.reported_type, other.phase) == (usual.kind, usual.reported_type, usual.phase)
