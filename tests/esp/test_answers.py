"""Which statuses keep each ESP from losing an event?"""

import pytest

from service.esp import adapters
from service.esp_kit.adapter import Answers

_COMES_BACK_AFTER_ANY_FAILURE = (
    "forward_email",
    "mailersend",
    "mailjet",
    "mailtrap",
    "mandrill",
    "postal",
    "resend",
    "sparkpost",
    "unisender_go",
)


@pytest.mark.parametrize("esp", _COMES_BACK_AFTER_ANY_FAILURE)
def test_esp_that_tries_again_after_any_failure_is_told_what_failed(esp: str) -> None:
    assert adapters()[esp].answers == Answers(accepted=200, refused=401, unavailable=503)


def test_brevo_comes_back_after_429_alone() -> None:
    """Any other 4xx and any 5xx throws the event away."""
    assert adapters()["brevo"].answers == Answers(accepted=200, refused=429, unavailable=429)


def test_event_grid_drops_events_after_the_usual_statuses_of_a_refusal() -> None:
    """400, 401, 403 and 413 are not tried again; nor does it take 202 for the answer to a validation."""
    answers = adapters()["azure"].answers
    assert answers.accepted == 200
    assert {answers.refused, answers.unavailable}.isdisjoint({400, 401, 403, 413})
