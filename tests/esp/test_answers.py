"""Which statuses keep each ESP from losing an event?"""

import pytest

from service.esp import adapters
from service.esp_kit.adapter import Answers

_COMES_BACK_AFTER_ANY_FAILURE = (
    "elastic_email",  # and is switched off after a thousand of them
    "forward_email",
    "mailersend",
    "mailjet",
    "mailtrap",
    "mandrill",
    "postal",
    "powermta",
    "resend",
    "sendgrid",
    "sparkpost",
    "unisender_go",
    "zonemta",
)
_NOT_SAID = ("lettermint", "smtp2go", "zeptomail")  # what follows a failure is documented nowhere that we know
_OUR_OWN = ("arf", "dsn", "generic")  # whoever posts is told what failed, and our guides say to come back


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


@pytest.mark.parametrize("esp", [*_NOT_SAID, *_OUR_OWN])
def test_whoever_says_nothing_else_is_told_what_failed(esp: str) -> None:
    assert adapters()[esp].answers == Answers(accepted=200, refused=401, unavailable=503)


@pytest.mark.parametrize(("esp", "gives_up_after"), [("postmark", {403}), ("mailgun", {406})])
def test_status_after_which_an_esp_gives_up_is_never_given(esp: str, gives_up_after: set[int]) -> None:
    answers = adapters()[esp].answers
    assert gives_up_after.isdisjoint({answers.refused, answers.unavailable})


@pytest.mark.parametrize("esp", ["ses", "scaleway"])
def test_sns_drops_after_4xx_and_comes_back_after_5xx(esp: str) -> None:
    assert adapters()[esp].answers == Answers(accepted=200, refused=403, unavailable=503)


def test_socketlabs_asks_for_401_where_its_key_is_wrong() -> None:
    assert adapters()["socketlabs"].answers == Answers(accepted=200, refused=401, unavailable=503)


def test_kumomta_discards_after_all_but_2xx_unless_its_hook_is_told_otherwise() -> None:
    """No status helps there, so the guide says what to write into the hook."""
    kumomta = adapters()["kumomta"]
    assert kumomta.answers == Answers(accepted=200, refused=401, unavailable=503)
    assert "503" in kumomta.guide
