"""Does the doctor tell a source that reads nothing, or refuses all, from one that was never set up?"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from service.bootstrap import Hopp
from service.cli.demo.story import story_of
from service.cli.doctor_sources import examine_sources, load_known, load_refusals
from service.cli.findings import Finding, State
from service.model.events import Delivery
from service.model.moments import HOUR_US, hour_of, to_us
from service.outbound.service_client import ServiceClient
from service.pipeline.process import process
from service.store import ingest
from service.store.database import Database
from tests.cli.installations import Clock, take_in

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens there
SOURCE = "demo-sendgrid"


def of_source(hopp: Hopp, client: ServiceClient | None = None) -> Finding:
    """What is said of one source."""
    with ServiceClient(NOBODY) as nobody:
        known = load_known(hopp.database, client or nobody, to_us(hopp.now()))
    return {finding.what: finding for finding in examine_sources(hopp, known, hopp.now())}[f"source {SOURCE}"]


def post(hopp: Hopp, bodies: Sequence[bytes]) -> None:
    deliveries = [Delivery(id=uuid4().hex, source=SOURCE, esp="sendgrid", received_at=hopp.now(), body=body) for body in bodies]
    process(deliveries, hopp.tools(), now_us=to_us(hopp.now()))


def count(hopp: Hopp, **outcomes: int) -> None:
    with hopp.database.write() as connection:
        id_ = ingest.ensure_sources(connection, {SOURCE: ("sendgrid", False)}, to_us(hopp.now()))[SOURCE].id
        ingest.count_outcomes(connection, {(id_, hour_of(to_us(hopp.now())), outcome): amount for outcome, amount in outcomes.items()})


def test_nothing_came_where_nothing_came(hopp: Hopp) -> None:
    found = of_source(hopp)
    assert (found.state, found.found.endswith("nothing came yet"), found.next_step) == (State.WARN, True, "make demo")


def test_posts_of_which_none_can_be_read_are_a_failure_with_its_reason_and_mend(hopp: Hopp) -> None:
    post(hopp, [b'[{"RecordType": "Bounce", "Email": "anna@steel.example"}]'] * 3)
    found = of_source(hopp)
    assert found.state is State.FAIL
    assert "3 of 3 posts of its last day could not be read: the event has no 'event'" in found.found
    assert "anna" not in found.found
    assert f"replay --state quarantined --source {SOURCE}" in found.next_step


def test_one_post_of_many_that_cannot_be_read_is_a_warning(hopp: Hopp) -> None:
    post(hopp, [b"[]"] * 9 + [b"{"])
    found = of_source(hopp)
    assert (found.state, "1 of 10 posts of its last day could not be read: not readable as JSON" in found.found) == (State.WARN, True)


def test_what_a_replay_released_is_well(hopp: Hopp) -> None:
    count(hopp, deliveries=3, quarantined=3, released=3)
    assert "3 posts, no event in them yet" in of_source(hopp).found


def test_what_could_not_be_read_days_ago_is_forgotten_once_posts_are_read(hopp: Hopp, clock: Clock) -> None:
    post(hopp, [b"{"])
    clock.move(25 * HOUR_US / 1_000_000)
    post(hopp, [b"[]"])
    assert "could not be read" not in of_source(hopp).found


def test_the_first_refused_post_is_told_with_its_reason(hopp: Hopp, client: ServiceClient) -> None:
    assert not client.post(f"/webhooks/{SOURCE}", body=b"[]", headers={}).is_success
    assert load_refusals(client)[SOURCE].startswith("the post carries no signature")
    count(hopp, refused=1)
    found = of_source(hopp, client)
    assert (found.state, "1 of 1 posts of its last day refused: the post carries no signature" in found.found) == (State.FAIL, True)


def test_without_the_web_its_log_has_the_reason(hopp: Hopp) -> None:
    count(hopp, refused=1)
    assert of_source(hopp).found.endswith("refused (the web's log says why: webhook_refused)")


def test_a_refused_post_among_good_ones_is_told_and_no_failure(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [item for chapter in story_of("0a1b2c", clock()).chapters for item in chapter.posts])
    count(hopp, refused=1)
    found = of_source(hopp)
    assert (found.state, "posts of its last day refused" in found.found) == (State.OK, True)


def test_a_source_that_waits_to_be_asked_for_its_password_is_well(hopp: Hopp) -> None:
    """SNS posts without it first, and then with it."""
    count(hopp, challenged=2, deliveries=2)
    assert "refused" not in of_source(hopp).found


def test_what_came_is_unknown_while_the_database_does_not_answer(hopp: Hopp) -> None:
    away = Database("postgresql://nobody:hidden@127.0.0.1:9/nothing")
    found = of_source(replace(hopp, database=away))
    assert (found.state, "is unknown, the database does not answer: " in found.found) == (State.WARN, True)
    assert "Connection refused" in found.found
    assert "hidden" not in found.found


@pytest.mark.parametrize(("public_url", "told"), [("http://0.0.0.0:8137", 1), ("http://[::]:8137", 1), ("https://hooks.example.com", 0)])
def test_an_address_that_no_esp_can_reach_is_a_warning(hopp: Hopp, public_url: str, told: int) -> None:
    with ServiceClient(NOBODY) as nobody:
        known = load_known(hopp.database, nobody, to_us(hopp.now()))
    listening = replace(hopp, settings=replace(hopp.settings, public_url=public_url))
    found = [finding for finding in examine_sources(listening, known, hopp.now()) if finding.what == "address"]
    assert [("HOPP_PUBLIC_URL" in finding.next_step) for finding in found] == [True] * told


def test_something_else_that_answers_has_no_reasons(hopp: Hopp, client: ServiceClient) -> None:
    with ServiceClient(f"{client.base_url}/healthz?") as other:
        assert load_refusals(other) == {}
