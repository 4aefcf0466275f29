"""Do `sources` and `sources --available` say what somebody needs who configures an ESP?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.bootstrap import Hopp
from service.cli.demo.story import story_of
from service.cli.sources import sources_command
from service.model.moments import hour_of, to_us
from service.pipeline.watch import SourceWatch
from service.store import ingest
from tests.cli.installations import START, take_in


@pytest.fixture(autouse=True)
def in_its_folder(hopp: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPP_DATABASE", hopp.settings.database)


def asked(*arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in CliRunner().invoke(sources_command, [*arguments, "--json"]).stdout.splitlines()]


def test_each_source_shows_its_address_and_what_came(hopp: Hopp) -> None:
    take_in(hopp, story_of("0a1b2c", START).late)
    (found,) = [row for row in asked() if row["name"] == "demo-mailgun"]
    assert found["url"] == "http://127.0.0.1:8000/webhooks/demo-mailgun"
    assert (found["last_received_at"], found["deliveries"], found["events"]) == ("2026-03-04T12:00:20Z", 2, 2)


def test_without_a_database_the_sources_are_shown_all_the_same(hopp: Hopp, tmp_path: Path) -> None:
    hopp.database.close()
    for file in tmp_path.glob("var/hopp.sqlite*"):
        file.unlink()
    assert [row["deliveries"] for row in asked()] == [None] * 4


def test_people_get_the_address_of_each_source(hopp: Hopp) -> None:
    output = CliRunner().invoke(sources_command).stdout
    assert [f"/webhooks/{source.name}" in output for source in hopp.settings.sources] == [True] * 4


def test_people_get_what_the_esp_has_to_be_told(hopp: Hopp) -> None:
    output = " ".join(CliRunner().invoke(sources_command).stdout.split())
    assert "the public key that the ESP signs with, in `secrets`" in output
    signed = [source.esp for source in hopp.settings.sources if source.auth is None]
    assert [esp for esp in signed if hopp.adapters[esp].guide not in output] == []
    assert [(row["proof"], row["guide"]) != (None, None) for row in asked()] == [True] * 4


def test_a_source_that_is_proven_otherwise_gets_no_recipe_for_signing(hopp: Hopp) -> None:
    """Raw delivery and topic_arns are of the signed way alone."""
    (ses,) = [row for row in asked() if row["name"] == "demo-ses"]
    assert ses["auth"] == "basic"
    assert "topic_arns" not in str(ses["guide"])
    assert "sources --guide ses" in str(ses["guide"])


def test_without_an_answer_of_the_database_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPP_DATABASE", "postgresql://nobody@127.0.0.1:9/nothing")
    result = CliRunner().invoke(sources_command)
    assert (result.exit_code, "  last      unknown" in result.stdout, "  so far    unknown" in result.stdout) == (1, True, True)
    assert "nothing came" not in result.stdout
    assert "Connection refused" in result.stderr


def test_an_address_that_no_esp_can_reach_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPP_BIND", "0.0.0.0:8137")
    output = CliRunner().invoke(sources_command).stdout
    assert "http:" not in output
    assert "address   not known before HOPP_PUBLIC_URL is set" in output
    assert {row["url"] for row in asked()} == {None}


def test_what_fires_about_a_source_is_shown_beside_it(hopp: Hopp) -> None:
    with hopp.database.write() as connection:
        watch = SourceWatch({source.name: (source.esp, False) for source in hopp.settings.sources})
        ses = ingest.ensure_sources(connection, {"demo-ses": ("ses", False)}, to_us(START))["demo-ses"].id
        ingest.count_outcomes(connection, {(ses, hour_of(to_us(START)), "refused"): 20})
        watch.look(connection, now_us=to_us(START))
    found = {row["name"]: (row["state"], row["alerts"], row["refused"]) for row in asked()}
    assert found["demo-ses"] == ("refused", ["source_refused"], 20)
    assert found["demo-mailgun"] == ("learning", [], 0)
    output = CliRunner().invoke(sources_command).stdout
    assert "no event yet   refused" in output
    assert "20 of 20 posts of its last day refused" in output


def test_no_secret_is_shown(hopp: Hopp) -> None:
    output = CliRunner().invoke(sources_command).output + CliRunner().invoke(sources_command, ["--json"]).output
    assert [source.name for source in hopp.settings.sources for secret in source.secrets if secret in output] == []


def test_without_a_source_it_says_how_to_add_one(tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").unlink()
    assert "add [[source]] to hopp.toml" in CliRunner().invoke(sources_command).stderr


def test_every_adapter_is_available_with_its_guide(hopp: Hopp) -> None:
    rows = asked("--available")
    assert [row["esp"] for row in rows] == sorted(hopp.adapters)
    assert [row["esp"] for row in rows if not row["guide"] or "delivered_events" not in row] == []


def test_people_get_every_adapter(hopp: Hopp) -> None:
    output = CliRunner().invoke(sources_command, ["--available"]).stdout
    assert [name for name in hopp.adapters if name not in output] == []
