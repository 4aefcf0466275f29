"""Does `replay` tell what it changes, and change labels only where it is told to?"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from service.bootstrap import Hopp, build
from service.cli.main import commands
from service.model.events import Delivery
from service.model.moments import to_us
from service.pipeline.process import process
from service.settings import load_settings
from service.store import schema
from tests.pipeline.worlds import START

_OWN = "[[rule]]\nid = 'acme.zorb'\npattern = 'zorb'\nlabel = 'invalid_recipient'\nsource = 'us'\nexamples = ['550 zorb']\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands in a folder with a quarantined delivery and an answer that no rule knows."""
    monkeypatch.chdir(tmp_path)
    hopp = _hopp()
    schema.migrate(hopp.database)
    tools = hopp.tools()
    process([_delivery("bert", "550 5.1.1 <bert@steel.example> User unknown")], replace(tools, adapters={}), now_us=to_us(START))
    process([_delivery("anna", "550 zorb for <anna@steel.example>")], tools, now_us=to_us(START))
    hopp.database.close()
    return CliRunner()


def _hopp() -> Hopp:
    return build(load_settings({}))


def _delivery(name: str, diagnostic: str) -> Delivery:
    event = {"kind": "bounced", "recipient": f"{name}@steel.example", "diagnostic": diagnostic, "occurred_at": START.isoformat()}
    return Delivery(id=name * 8, source="acme", esp="generic", received_at=START, body=orjson.dumps(event))


def _replay(run: CliRunner, *options: str) -> Result:
    return run.invoke(commands, ["replay", "--quiet", *options])


def _rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def _labels() -> list[str]:
    hopp = _hopp()
    with hopp.database.read() as connection:
        found = connection.execute(text("SELECT label FROM events ORDER BY id")).scalars().all()
    hopp.database.close()
    return list(found)


def _with_own_rules() -> None:
    Path("mine.toml").write_text(_OWN)
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')


def test_a_dry_run_tells_and_a_replay_does(run: CliRunner) -> None:
    told = _rows(_replay(run, "--state", "quarantined", "--dry-run", "--json"))
    assert _labels() == ["undetermined"]
    done = _rows(_replay(run, "--state", "quarantined", "--json"))
    assert told == done
    assert [(row["id"], row["state_before"], row["state"], row["new_events"]) for row in done] == [
        ("bert" * 8, "quarantined", "processed", 1)
    ]
    assert _labels() == ["undetermined", "invalid_recipient"]
    assert _rows(_replay(run, "--source", "acme", "--json")) == []


def test_it_says_in_words_what_became_of_each_delivery(run: CliRunner) -> None:
    said = _replay(run, "--id", "bert" * 8)
    assert said.stdout == f"{'bert' * 8}  acme  quarantined -> processed  1 new events\n"
    assert "1 released from quarantine" in said.stderr


def test_labels_are_compared_first_and_changed_with_apply(run: CliRunner) -> None:
    _with_own_rules()
    (row,) = _rows(_replay(run, "--classify", "--json"))
    assert row == {
        "before": "undetermined",
        "after": "invalid_recipient",
        "count": 1,
        "becomes_hard": 1,
        "no_longer_hard": 0,
        "wordings": [{"wording": "550 zorb for <@>", "count": 1}],
    }
    assert _labels() == ["undetermined"]
    assert _rows(_replay(run, "--classify", "--apply", "--json")) == [row]
    assert _labels() == ["invalid_recipient"]
    assert _rows(_replay(run, "--classify", "--apply", "--json")) == []


def test_it_says_in_words_which_labels_change(run: CliRunner) -> None:
    _with_own_rules()
    said = _replay(run, "--classify")
    assert said.stdout == "1   undetermined -> invalid_recipient   (1 become hard bounces)\n    1   550 zorb for <@>\n"
    assert "--apply" in said.stderr
    assert "steel" not in said.output


def test_a_whole_replay_is_remembered_with_the_version_of_its_rules(run: CliRunner) -> None:
    _with_own_rules()
    _replay(run, "--classify", "--apply", "--source", "acme")
    hopp = _hopp()
    with hopp.database.read() as connection:
        assert connection.execute(text("SELECT * FROM rule_sets")).all() == []
    _replay(run, "--classify", "--apply")
    with hopp.database.read() as connection:
        rows = connection.execute(text("SELECT version FROM rule_sets WHERE replayed_us IS NOT NULL")).scalars().all()
    hopp.database.close()
    assert rows == [hopp.labels().classifier.ruleset.version]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--apply", "--source", "acme"),
        ("--classify", "--id", "x"),
        ("--classify", "--dry-run"),
        ("--state", "not_authentic"),
        ("--from", "2026-03-02", "--to", "2026-03-01"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run: CliRunner, options: tuple[str, ...]) -> None:
    assert _replay(run, *options).exit_code == 2
