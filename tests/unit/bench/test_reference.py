"""Does the reference wait, fire once, and close on proof of recovery?"""

import json
from itertools import count

import pytest

from bench.world.clock import DAY, HOUR, MINUTE, stamp
from bench.world.reference import Reference

DOMAIN = "d1.example"
NUMBERS = count()


def webhook(kind: str, person: int, at: float, *, domain: str = DOMAIN, source: str = "one", lag: float = 1.0) -> tuple[float, str]:
    event = {
        "kind": kind,
        "recipient": f"p{person}@{domain}",
        "occurred_at": stamp(at),
        "reported_type": "hard" if kind == "bounced" else None,
        "remote_host": f"mail.{domain}",
        "source": source,
        "esp_event_id": f"e{next(NUMBERS)}",
        "received_at": stamp(at + lag),
    }
    return at + lag, json.dumps(event)


def burst(kind: str, people: range, start: float, **habits: str) -> list[tuple[float, str]]:
    return [webhook(kind, person, start + number, **habits) for number, person in enumerate(people)]  # type: ignore[arg-type]


def transitions(*parts: list[tuple[float, str]]) -> list[tuple[str, str, str]]:
    """What fires and closes, as (time, domain, state)."""
    hooks = sorted(hook for part in parts for hook in part)
    return [(str(line["at"]), str(line["domain"]), str(line["state"])) for line in Reference().run(line for _, line in hooks)]


FRIENDS = burst("delivered", range(30), 0)
BLOCKED = burst("bounced", range(6), DAY)


def test_block_of_known_people_fires_when_the_wait_is_over() -> None:
    assert transitions(FRIENDS, BLOCKED) == [(stamp(DAY + 1 + 180), DOMAIN, "firing")]


def test_three_of_three_stay_silent() -> None:
    assert transitions(FRIENDS, burst("bounced", range(3), DAY)) == []


def test_deliveries_that_overtake_the_wait_keep_it_silent() -> None:
    """Bounces come at once, the deliveries of the same mailing two minutes later."""
    late = [webhook("delivered", person, DAY + person, lag=2 * MINUTE) for person in range(6, 200)]
    assert transitions(FRIENDS, burst("bounced", range(4), DAY), late) == []


def test_alert_stays_open_while_refusals_go_on() -> None:
    assert [state for _, _, state in transitions(FRIENDS, BLOCKED, burst("bounced", range(6, 20), DAY + HOUR))] == ["firing"]


def test_five_deliveries_and_half_an_hour_of_quiet_close_it() -> None:
    back = burst("delivered", range(20, 25), DAY + HOUR)
    quiet_since = DAY + HOUR + 4
    closed = (quiet_since + 30 * MINUTE) // MINUTE * MINUTE + MINUTE
    assert transitions(FRIENDS, BLOCKED, back)[-1] == (stamp(closed), DOMAIN, "resolved")


def test_four_deliveries_do_not_close_it() -> None:
    assert [state for _, _, state in transitions(FRIENDS, BLOCKED, burst("delivered", range(20, 24), DAY + HOUR))] == ["firing"]


def test_silence_of_a_fortnight_closes_it() -> None:
    elsewhere = [webhook("delivered", 1, 20 * DAY, domain="d2.example")]
    assert [state for _, _, state in transitions(FRIENDS, BLOCKED, elsewhere)] == ["firing", "resolved"]


def test_duplicates_are_not_counted() -> None:
    hooks = burst("bounced", range(3), DAY)
    assert transitions(FRIENDS, hooks, [(at + 1, line) for at, line in hooks]) == []


def test_window_that_ended_a_day_before_its_receipt_never_fires() -> None:
    late = [webhook("bounced", person, DAY, lag=26 * HOUR) for person in range(6)]
    assert transitions(FRIENDS, late) == []


@pytest.mark.parametrize(("refused", "expected"), [(9, []), (10, ["firing"])])
def test_source_without_deliveries_pages_from_ten_people(refused: int, expected: list[str]) -> None:
    known_blind = burst("bounced", range(20), 0, domain="d3.example", source="blind")
    blocked = burst("bounced", range(refused), 2 * DAY, source="blind")
    found = transitions(known_blind, blocked)
    assert [state for _, domain, state in found if domain == DOMAIN] == expected


def test_consumer_domain_never_pages_without_deliveries() -> None:
    assert transitions(burst("bounced", range(50), 0, domain="gmail.com", source="blind")) == []


def test_without_the_wait_it_fires_at_the_fourth_bounce() -> None:
    hooks = sorted(FRIENDS + BLOCKED)
    lines = [line for _, line in hooks]
    assert [line["at"] for line in Reference(is_waiting=False).run(lines)] == [stamp(DAY + 3 + 1)]
