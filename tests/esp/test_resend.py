"""What is Resend's own?"""

from dataclasses import replace

from service.esp.resend import ADAPTER
from service.esp_kit.adapter import Accepted, Refused
from service.esp_kit.sign import STANDARD_WEBHOOK
from service.model.events import Event
from tests.esp.cases import CASES, NOW, OTHER_CHANCE, delivery_of, keys_of, request_of, signed

CASE = next(case for case in CASES if str(case) == "resend-bounced-permanent-general")
KEYS, OTHERS = keys_of(ADAPTER), keys_of(ADAPTER, OTHER_CHANCE)


def only(headers: dict[str, str]) -> Event:
    return ADAPTER.parse(delivery_of(CASE.body, headers)).events[0]


def test_replay_by_hand_is_the_same_event() -> None:
    """The id stays, while the timestamp is made anew."""
    assert only({"svix-id": "msg_1", "svix-timestamp": "1"}).identity == only({"svix-id": "msg_1", "svix-timestamp": "2"}).identity
    assert only({"svix-id": "msg_1"}).identity != only({"svix-id": "msg_2"}).identity


def test_while_a_secret_changes_either_of_two_signatures_is_enough() -> None:
    new, old = (ADAPTER.signer.sign(request_of(CASE.body, {}), keys, NOW) for keys in (KEYS, OTHERS))
    both = {**new.headers, "svix-signature": f"{old.headers['svix-signature']} {new.headers['svix-signature']}"}
    for keys in (KEYS, OTHERS):
        assert ADAPTER.verify(replace(new, headers=both), keys.trust, NOW) == Accepted()


def test_headers_of_standard_webhooks_verify_too() -> None:
    request = STANDARD_WEBHOOK.sign(request_of(CASE.body, {}), KEYS, NOW)
    assert "svix-id" not in request.headers
    assert ADAPTER.verify(request, KEYS.trust, NOW) == Accepted()


def test_id_belongs_to_what_is_signed() -> None:
    request = signed(CASE)
    changed = replace(request, headers={**request.headers, "svix-id": "msg_other"})
    assert isinstance(ADAPTER.verify(changed, KEYS.trust, NOW), Refused)
