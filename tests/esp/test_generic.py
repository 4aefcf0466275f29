"""What is the generic JSON's own?"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from service.cli.samples.load import Sample
from service.esp import adapters
from service.esp.generic import ADAPTER, event_of_line
from service.esp_kit.adapter import Accepted, Refused
from service.esp_kit.printing import event_as_dict
from service.model.errors import UnreadableError
from service.model.events import Event, Problem
from service.model.words import EventKind
from tests.esp.cases import CASES, NOW, delivery_of, keys_of, one_case, signed


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_parse_prints_can_be_imported(case: Sample) -> None:
    try:
        events = adapters()[case.esp].parse(delivery_of(case.body, case.headers)).events
    except UnreadableError:
        return
    for event in events:
        line = json.loads(json.dumps(event_as_dict(event)))
        imported = event_of_line(line)
        assert isinstance(imported, Event)
        assert event_as_dict(imported) == event_as_dict(event)
        assert imported.identity


def test_line_that_is_no_event_says_why() -> None:
    assert event_of_line(7) == Problem(error="an event has to be a JSON object", fragment="7")
    wrong = event_of_line({"kind": "bounce"})
    assert isinstance(wrong, Problem)
    assert all(kind in wrong.error for kind in EventKind)
    assert wrong.fragment == '{"kind":"bounce"}'


def test_empty_name_of_an_esp_is_as_good_as_none() -> None:
    """Every row of an event names its ESP."""
    imported = event_of_line({"kind": "delivered", "esp": ""})
    assert isinstance(imported, Event)
    assert imported.esp == "generic"


def test_identity_is_the_esps_id_or_the_content() -> None:
    line = {"kind": "bounced", "esp": "acme", "occurred_at": 1767600000, "diagnostic": "550 no"}
    plain, other = event_of_line(line), event_of_line({**line, "diagnostic": "550 yes"})
    named, named_again = event_of_line({**line, "esp_event_id": "e1"}), event_of_line({**line, "esp_event_id": "e1", "diagnostic": "x"})
    assert isinstance(plain, Event) and isinstance(other, Event) and isinstance(named, Event) and isinstance(named_again, Event)  # noqa: PT018 - one question
    assert plain.identity != other.identity
    assert named.identity == named_again.identity == ("id", "acme", "e1")


@pytest.mark.parametrize("body", [b"", b"7", b"no JSON", b"no JSON\nat all", b'{"kind":"opened"'])
def test_body_that_is_neither_json_nor_lines_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        ADAPTER.parse(delivery_of(body, {}))


def test_signature_is_good_for_five_minutes() -> None:
    case = one_case(ADAPTER)
    for minutes, accepted in ((-6, False), (-4, True), (0, True), (4, True), (6, False)):
        verification = ADAPTER.verify(signed(case, timedelta(minutes=minutes)), keys_of(ADAPTER).trust, NOW)
        assert (verification == Accepted()) is accepted


def test_message_id_belongs_to_what_is_signed() -> None:
    request = signed(one_case(ADAPTER))
    other = replace(request, headers={**request.headers, "webhook-id": "msg_other"})
    assert isinstance(ADAPTER.verify(other, keys_of(ADAPTER).trust, NOW), Refused)
