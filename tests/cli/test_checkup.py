"""Does the doctor find what is wrong, and say what to do next?"""

import json
from dataclasses import replace
from pathlib import Path
from threading import Event as Signal

import pytest
from click.testing import CliRunner, Result

from service.bootstrap import Hopp
from service.cli.checkup import examine, risks_of, room_left
from service.cli.demo.story import story_of
from service.cli.doctor import doctor_command
from service.cli.findings import Finding, State
from service.model.events import Delivery
from service.model.moments import HOUR_US, to_us
from service.model.words import Role
from service.outbound.service_client import ServiceClient
from service.store import tokens
from service.store.database import Database
from service.store.soundness import Soundness
from tests.cli.installations import Clock, evaluate, installation, take_in

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens there


def findings(hopp: Hopp) -> dict[str, Finding]:
    with ServiceClient(NOBODY) as client:
        return {finding.what: finding for finding in examine(hopp, client)}


def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOPP_DATABASE", f"sqlite:///{folder}/var/hopp.sqlite")
    return CliRunner().invoke(doctor_command, [*arguments, "--url", NOBODY])


def test_a_running_installation_has_only_its_silent_web_to_mend(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    evaluate(hopp)
    with hopp.database.write() as connection:
        tokens.create(connection, name="ops", role=Role.READER, now=clock())
    assert [finding.what for finding in findings(hopp).values() if finding.state is not State.OK] == ["web"]


def test_a_ready_web_is_seen(hopp: Hopp, client: ServiceClient) -> None:
    assert [finding.state for finding in examine(hopp, client) if finding.what == "web"] == [State.OK]


def test_a_web_that_is_not_ready_is_a_failure(hopp: Hopp, client: ServiceClient) -> None:
    with hopp.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    [web] = [finding for finding in examine(hopp, client) if finding.what == "web"]
    assert (web.state, "answers 503: database: " in web.found, "0001" in web.found) == (State.FAIL, True, True)


def test_every_finding_that_is_not_well_says_what_to_do_next(hopp: Hopp) -> None:
    assert [finding for finding in findings(hopp).values() if finding.state is not State.OK and not finding.next_step] == []


def test_looking_makes_no_database(tmp_path: Path, clock: Clock) -> None:
    hopp = installation(tmp_path, clock)
    hopp.database.close()
    hopp.inbox.close()
    for file in tmp_path.glob("var/*.sqlite*"):
        file.unlink()
    found = findings(hopp)
    assert (found["database"].state, found["inbox"].state) == (State.WARN, State.WARN)
    assert list(tmp_path.glob("var/*.sqlite*")) == []


def test_a_worker_that_looked_in_is_seen_until_its_lease_is_old(hopp: Hopp, clock: Clock) -> None:
    before = findings(hopp)["worker"].state
    evaluate(hopp)
    during = findings(hopp)["worker"].state
    clock.move(180)
    assert (before, during, findings(hopp)["worker"].state) == (State.FAIL, State.OK, State.FAIL)


def test_a_worker_that_was_stopped_is_not_taken_for_one_that_evaluates(hopp: Hopp, clock: Clock) -> None:
    worker = hopp.worker(Signal())
    worker.stopping.set()
    worker.step()
    during = findings(hopp)["worker"].state
    worker.run()
    clock.move(67)
    after = findings(hopp)["worker"]
    assert (during, after.state, after.found) == (State.OK, State.WARN, "the one that evaluated was stopped 67 s ago")


def test_a_check_that_nobody_takes_is_a_failure(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    clock.move(600)
    assert "checks wait" in findings(hopp)["worker"].found


def test_a_delivery_that_waits_for_long_is_a_failure(hopp: Hopp, clock: Clock) -> None:
    hopp.inbox.append(Delivery(id="0" * 32, source="demo-ses", esp="ses", received_at=clock(), body=b"{}"))
    soon = findings(hopp)["waiting"].state
    clock.move(120)
    assert (soon, findings(hopp)["waiting"].state) == (State.OK, State.FAIL)


def test_a_source_without_a_secret_refuses_everything(hopp: Hopp) -> None:
    bare = replace(hopp.settings.sources[0], secrets=())
    found = findings(replace(hopp, settings=replace(hopp.settings, sources=(bare,))))
    assert found["source demo-sendgrid"].state is State.FAIL


def test_a_source_that_takes_from_anybody_is_warned_about(hopp: Hopp) -> None:
    opened = replace(hopp.settings.sources[0], auth="none")
    found = findings(replace(hopp, settings=replace(hopp.settings, sources=(opened,))))
    assert "anybody" in found["source demo-sendgrid"].found


def test_demo_sources_are_warned_about_where_others_can_reach_them(hopp: Hopp) -> None:
    found = findings(replace(hopp, settings=replace(hopp.settings, bind="0.0.0.0:8000")))
    assert found["source demo-ses"].next_step.startswith("Delete it")


def test_a_source_that_fell_silent_is_warned_about(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    clock.move(3 * 86_400)
    assert findings(hopp)["source demo-ses"].found.endswith("last event 3 days ago")


def judged(hopp: Hopp, state: str, trouble: str = "") -> Finding:
    """What is said of a source of which nothing came for three days, after it was judged."""
    with hopp.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO source_health (source_id, state, missed_hours, accepted, refused, judged_us)"
            f" SELECT id, '{state}', 40, 0, 0, 1 FROM sources WHERE name = 'demo-ses'"
        )
        connection.exec_driver_sql(
            "INSERT INTO source_alerts (id, source_id, trouble, state, severity, missed_hours, accepted, refused, opened_us, last_true_us,"
            f" reopen_count) SELECT 'a', id, '{trouble}', 'firing', 'warning', 40, 0, 0, 1, 1, 0 FROM sources"
            f" WHERE name = 'demo-ses' AND '{trouble}' <> ''"
        )
    return findings(hopp)["source demo-ses"]


def test_what_fires_about_a_source_is_said(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    found = judged(hopp, "silent", "source_silent")
    assert (found.state, "silent: 40 hours" in found.found, "/webhooks/demo-ses" in found.next_step) == (State.WARN, True, True)


def test_a_source_whose_posts_are_refused_is_a_failure(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    found = judged(hopp, "refused", "source_refused")
    assert (found.state, "refused" in found.found, "secret" in found.next_step) == (State.FAIL, True, True)


def test_a_quiet_that_is_usual_for_the_source_is_well(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    clock.move(3 * 86_400)
    assert judged(hopp, "regular").state is State.OK


def test_secrets_that_others_may_read_are_warned_about(hopp: Hopp, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").chmod(0o644)
    assert findings(hopp)["settings"].next_step.startswith("chmod 600")


def test_a_clock_that_went_back_is_warned_about(hopp: Hopp, clock: Clock) -> None:
    take_in(hopp, story_of("0a1b2c", clock()).late)
    clock.move(-3_600)
    assert findings(hopp)["clock"].state is State.WARN


def test_tables_of_another_program_are_a_failure(hopp: Hopp) -> None:
    with hopp.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert findings(hopp)["schema"].state is State.FAIL


def test_a_postgresql_is_asked_what_it_keeps(postgres_url: str, tmp_path: Path, clock: Clock) -> None:
    hopp = installation(tmp_path, clock, HOPP_DATABASE=postgres_url, HOPP_INBOX=postgres_url)
    try:
        found = findings(hopp)
    finally:
        hopp.inbox.close()
        hopp.database.close()
    assert "PostgreSQL" in found["database"].found
    assert "PostgreSQL" in found["inbox"].found


SAFE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@pytest.mark.parametrize(
    ("sound", "risks"),
    [
        (Soundness(product="SQLite", version=(3, 40), settings={"journal_mode": "wal", "synchronous": "2"}), []),
        (Soundness(product="SQLite", version=(3, 40), settings={"journal_mode": "wal", "synchronous": "3"}), []),
        (
            Soundness(product="SQLite", version=(3, 40), settings={"journal_mode": "off", "synchronous": "1"}),
            ["journal_mode = off instead of wal", "synchronous = 1 instead of 2"],
        ),
        (Soundness(product="PostgreSQL", version=(14, 2), settings=SAFE), []),
        (Soundness(product="PostgreSQL", version=(13, 9), settings=SAFE), ["older than version 14"]),
        (Soundness(product="PostgreSQL", version=(16, 1), settings=SAFE | {"synchronous_commit": "off"}), ["synchronous_commit = off"]),
        (Soundness(product="PostgreSQL", version=(16, 1), settings=SAFE | {"synchronous_commit": "remote_write"}), []),
    ],
)
def test_what_could_lose_committed_rows_is_named(sound: Soundness, risks: list[str]) -> None:
    assert list(risks_of(sound)) == risks


@pytest.mark.parametrize(("free", "state"), [(5e9, State.OK), (8e8, State.WARN), (1e8, State.FAIL)])
def test_a_full_disk_is_found_before_it_refuses(free: float, state: State) -> None:
    assert room_left(int(free), Path("var")).state is state


def test_a_database_that_does_not_answer_is_a_failure(hopp: Hopp) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/nothing")
    found = findings(replace(hopp, database=away, settings=replace(hopp.settings, inbox=str(away.url))))
    assert (found["database"].state, found["inbox"].state) == (State.FAIL, State.FAIL)
    assert "Connection refused" in found["database"].found


def test_an_inbox_without_its_table_is_a_failure(hopp: Hopp, tmp_path: Path) -> None:
    (tmp_path / "var/empty.sqlite").touch()
    settings = replace(hopp.settings, inbox=f"sqlite:///{tmp_path}/var/empty.sqlite")
    assert findings(replace(hopp, settings=settings))["waiting"].state is State.FAIL


def test_without_any_source_it_says_how_to_add_one(hopp: Hopp) -> None:
    assert findings(replace(hopp, settings=replace(hopp.settings, sources=())))["sources"].state is State.WARN


def test_it_ends_with_1_where_anything_failed(hopp: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(tmp_path, monkeypatch).exit_code == 1


def test_json_is_one_object_a_line(hopp: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.loads(line) for line in ask(tmp_path, monkeypatch, "--json").output.splitlines()]
    assert {tuple(line) for line in lines} == {("state", "what", "found", "next")}


def test_a_wrong_setting_is_a_finding_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPP_BIND", "nowhere")
    (line,) = ask(tmp_path, monkeypatch, "--json").output.splitlines()
    assert (json.loads(line)["state"], "HOPP_BIND=nowhere" in line) == ("fail", True)


def test_its_lines_hold_no_secret(hopp: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = ask(tmp_path, monkeypatch).output + ask(tmp_path, monkeypatch, "--json").output
    assert [source.name for source in hopp.settings.sources for secret in source.secrets if secret in output] == []


def test_a_jump_of_undetermined_answers_is_a_warning_that_names_the_report(hopp: Hopp, clock: Clock) -> None:
    hour = to_us(clock()) // HOUR_US
    with hopp.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO sources VALUES (1, 'acme', 'generic', 0, 0)")
        for at, answered, undetermined in ((hour, 100, 40), (hour - 48, 5_000, 50)):
            connection.exec_driver_sql(f"INSERT INTO reply_hourly VALUES ({at}, 1, 'cisco', {answered}, {undetermined})")
    with ServiceClient(NOBODY) as client:
        found = [finding for finding in examine(hopp, client) if finding.what == "answers"]
    told = "40.0% of 100 in 24 h are undetermined, 1.0% in the 28 days before: of"
    assert [(item.state, item.found) for item in found] == [
        (State.WARN, f"{told} source acme"),
        (State.WARN, f"{told} gateway cisco"),
    ]
    assert "classify --report --since 2026-03-03T12:00:20Z --source acme" in found[0].next_step


def test_answers_that_are_understood_are_well(hopp: Hopp, clock: Clock) -> None:
    assert findings(hopp)["answers"].found == "none in 24 h"
    take_in(hopp, [post for chapter in story_of("0a1b2c", clock()).chapters for post in chapter.posts])
    assert findings(hopp)["answers"].state is State.OK
    assert "are undetermined" in findings(hopp)["answers"].found


def test_a_wrong_rule_is_a_failure_that_names_it(hopp: Hopp, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[[rule]]\nid = 'acme.badge'\nlabel = 'vip'\n")
    found = findings(replace(hopp, settings=replace(hopp.settings, own_rules=path)))["rules"]
    assert found.state is State.FAIL
    assert "acme.badge" in found.found
    assert str(path) in found.found


def test_own_rules_are_named(hopp: Hopp, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.touch()
    assert findings(replace(hopp, settings=replace(hopp.settings, own_rules=path)))["rules"].found.endswith(f"with those of {path}")
