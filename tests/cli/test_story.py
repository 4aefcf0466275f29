"""Does the demo's story fire exactly the alert that it is about, by the very rule that runs live?"""

from collections import Counter

import pytest
from sqlalchemy import text

from service.alerting.decision import Reason
from service.alerting.lifecycle import Finding, judge
from service.bootstrap import Hopp
from service.cli.demo.story import Cast, Post, Story, cast_of, story_of
from service.esp_kit.adapter import Accepted, Refused
from service.model.events import Delivery
from service.store import alerts
from tests.cli.installations import Clock, evaluate, signed, take_in, verified

RUN = "0a1b2c"
CAST: Cast = cast_of(RUN)
HOLD_SECONDS = 181


@pytest.fixture
def story(clock: Clock) -> Story:
    return story_of(RUN, clock())


def genuine(story: Story) -> list[Post]:
    return [post for chapter in story.chapters for post in chapter.posts if not post.is_tampered]


def tell(hopp: Hopp, clock: Clock, story: Story) -> None:
    take_in(hopp, genuine(story))
    evaluate(hopp)
    clock.move(60)
    take_in(hopp, story.late)
    evaluate(hopp)
    clock.move(HOLD_SECONDS - 60)
    evaluate(hopp)


def finding(hopp: Hopp, domain: str) -> Finding:
    with hopp.database.read() as connection:
        view = alerts.load_views(connection, [domain], hopp.policy)[domain]
    return judge(view, hopp.policy, e_min=hopp.policy.e_min)


def rows(hopp: Hopp, statement: str) -> list[tuple[object, ...]]:
    with hopp.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_exactly_the_story_s_alert_fires(hopp: Hopp, clock: Clock, story: Story) -> None:
    tell(hopp, clock, story)
    fired = rows(hopp, "SELECT domain, domain_class, gateway, severity, warm_k, warm_n, cold_n, state FROM alerts")
    assert fired == [(story.domain, "business_gateway", "cisco", "critical", 14, 18, 0, "firing")]


def test_nothing_fires_before_the_denominator_had_its_time(hopp: Hopp, clock: Clock, story: Story) -> None:
    take_in(hopp, genuine(story))
    evaluate(hopp)
    clock.move(HOLD_SECONDS - 10)
    evaluate(hopp)
    assert rows(hopp, "SELECT count(*) FROM alerts") == [(0,)]


def test_every_other_domain_stays_quiet_for_its_own_reason(hopp: Hopp, clock: Clock, story: Story) -> None:
    tell(hopp, clock, story)
    quiet = {
        CAST.nordwerk.domain: (Reason.BELOW_FLOOR, 4, 44),
        CAST.fair[0].company.domain: (Reason.NOT_ABOVE_EXPECTATION, 6, 40),
        CAST.fair[1].company.domain: (Reason.TOO_FEW_PEOPLE, 3, 20),
        CAST.fair[2].company.domain: (Reason.TOO_FEW_PEOPLE, 2, 14),
        CAST.lawyers.domain: (Reason.TOO_FEW_PEOPLE, 0, 5),
        "gmail.com": (Reason.TOO_FEW_PEOPLE, 1, 100),
    }
    found = {domain: finding(hopp, domain).decision for domain in quiet}
    assert {domain: (item.reason, item.counts.k, item.counts.n) for domain, item in found.items()} == quiet


def test_without_the_overtaken_webhooks_the_leavers_would_have_fired(hopp: Hopp, story: Story) -> None:
    """This is what the wait is for: 4 of 4, while 40 delivered mails are still on the way."""
    take_in(hopp, genuine(story))
    assert finding(hopp, CAST.nordwerk.domain).fires


def test_the_free_mail_domain_is_known_as_one(hopp: Hopp, story: Story) -> None:
    take_in(hopp, genuine(story))
    assert rows(hopp, "SELECT domain FROM recipient_domains WHERE domain_class = 'consumer'") == [("gmail.com",)]


def test_free_mail_stays_quiet_however_often_the_demo_is_run(hopp: Hopp, clock: Clock) -> None:
    for number in range(6):
        take_in(hopp, genuine(story_of(f"{number:06}", clock())))
        evaluate(hopp)
        clock.move(300)
    found = finding(hopp, "gmail.com").decision
    assert (found.counts.k, found.fires) == (6, False)


def test_a_second_run_fires_an_alert_of_its_own(hopp: Hopp, clock: Clock, story: Story) -> None:
    tell(hopp, clock, story)
    second = story_of("3d4e5f", clock())
    tell(hopp, clock, second)
    assert rows(hopp, "SELECT domain FROM alerts ORDER BY opened_us") == [(story.domain,), (second.domain,)]


def test_companies_of_another_run_are_known_as_such(story: Story) -> None:
    """One that was broken off leaves bounces behind, which fire while the next one is told."""
    own, other = cast_of(RUN), cast_of("3d4e5f")

    def domains(cast: Cast) -> list[str]:
        return [cast.steel.domain, cast.nordwerk.domain, cast.lawyers.domain, *(old.company.domain for old in cast.fair)]

    assert [domain for domain in domains(own) if story.is_of_another_run(domain)] == []
    assert [domain for domain in domains(other) if not story.is_of_another_run(domain)] == []
    assert not story.is_of_another_run("gmail.com")


def test_the_repeated_post_is_counted_as_duplicates(hopp: Hopp, story: Story) -> None:
    take_in(hopp, genuine(story))
    assert rows(hopp, "SELECT sum(count) FROM source_hourly WHERE outcome = 'duplicates'") == [(8,)]


def test_nothing_of_the_story_is_quarantined_forged_or_unknown(hopp: Hopp, clock: Clock, story: Story) -> None:
    tell(hopp, clock, story)
    outcomes = rows(hopp, "SELECT DISTINCT outcome FROM source_hourly ORDER BY outcome")
    assert outcomes == [("deliveries",), ("duplicates",), ("events",)]


def test_every_genuine_post_proves_itself_and_holds_as_many_events_as_it_says(hopp: Hopp, story: Story) -> None:
    for post in (*genuine(story), *story.late):
        assert verified(hopp, post) == Accepted()
        delivery = Delivery(id="0" * 32, source="demo", esp=post.esp, received_at=hopp.now(), body=signed(hopp, post).body)
        assert len(hopp.adapters[post.esp].parse(delivery).events) == post.events


def test_the_tampered_post_is_refused(hopp: Hopp, story: Story) -> None:
    (tampered,) = [post for chapter in story.chapters for post in chapter.posts if post.is_tampered]
    assert isinstance(verified(hopp, tampered), Refused)


def test_all_four_esps_and_every_fate_are_in_the_story(hopp: Hopp, story: Story) -> None:
    kinds: Counter[tuple[str, str]] = Counter()
    for post in genuine(story):
        delivery = Delivery(id="0" * 32, source="demo", esp=post.esp, received_at=hopp.now(), body=post.body)
        kinds.update((event.kind, event.reported_type or "") for event in hopp.adapters[post.esp].parse(delivery).events)
    assert kinds.keys() == {
        ("delivered", ""),
        ("bounced", "hard"),
        ("bounced", "soft"),
        ("deferred", ""),
        ("rejected", ""),
        ("opened", ""),
    }
