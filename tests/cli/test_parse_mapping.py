"""Can a mapping file be tried on a payload, and used by a source, and does a wrong one stop the start?"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.bootstrap import build
from service.cli.reading import parse_command
from service.esp_kit.mapping_file import MappingError
from service.settings import SettingsError, load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "own-esp.md").read_text(encoding="utf-8")
PAYLOAD, FILE, CONFIG = (
    re.findall(rf"```(?:{language})\n(.*?)```", PAGE, re.DOTALL)[number] for language, number in (("json", 0), ("toml", 0), ("toml", 1))
)

Parse = Callable[..., Result]


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parse:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relay.toml").write_text(FILE)
    return lambda *arguments, payload=PAYLOAD: CliRunner().invoke(parse_command, arguments, input=payload)


def test_a_mapping_is_tried_on_a_pasted_payload(parse: Parse) -> None:
    result = parse("--mapping", "relay.toml")
    assert (result.exit_code, [json.loads(line)["kind"] for line in result.stdout.splitlines()]) == (
        0,
        ["bounced", "delivered", "delivered"],
    )
    assert "nothing was verified" in result.stderr


def test_what_the_mapping_does_not_know_is_said(parse: Parse) -> None:
    result = parse("--mapping", "relay.toml", payload='{"batch": [{"what": "lost"}, {}]}')
    assert result.exit_code == 0
    assert "relay has no event type 'lost'" in result.stderr
    assert "no word for its kind" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--esp", "sendgrid", "--mapping", "relay.toml")])
def test_either_an_esp_or_a_mapping_is_named(parse: Parse, arguments: tuple[str, ...]) -> None:
    result = parse(*arguments)
    assert (result.exit_code, "--mapping FILE" in result.stderr) == (2, True)


def test_an_esp_that_is_not_known_is_refused(parse: Parse) -> None:
    assert "there is no ESP 'relay'" in parse("--esp", "relay").stderr


def test_a_wrong_file_names_itself_and_the_place(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(FILE.replace('ok = "delivered"', 'ok = "fine"'))
    result = parse("--mapping", "relay.toml")
    assert isinstance(result.exception, MappingError)
    assert str(result.exception).startswith("relay.toml: [kinds] ok: kind is 'fine'. Use one of queued, ")


def test_a_file_that_is_no_text_is_refused(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_bytes(b"\xff")
    assert isinstance(parse("--mapping", "relay.toml").exception, SettingsError)


def test_a_source_may_use_a_mapped_esp(parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_KEY", "x")
    (tmp_path / "hopp.toml").write_text(CONFIG)
    hopp = build(load_settings({"RELAY_KEY": "x"}, tmp_path))
    assert (hopp.settings.sources[0].esp, hopp.adapters["relay"].title) == ("relay", "Our own relay")
    assert "relay" in parse("--esp", "relay").stdout


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('[[mapping]]\nfile = "none.toml"', "there is no file .*none.toml"),
        ("[[mapping]]\nfile = 3", "number 1: file has to be a text"),
        ('[[mapping]]\nfile = "relay.toml"\nname = "x"', "there is no setting 'name'"),
        ('[mapping]\nfile = "relay.toml"', r"has to be written as \[\[mapping\]\]"),
        ('[[mapping]]\nfile = "relay.toml"\n[[mapping]]\nfile = "relay.toml"', "name 'relay' is taken"),
        ('[[mapping]]\nfile = "taken.toml"', "name 'sendgrid' is taken"),
    ],
)
def test_a_wrong_setting_stops_the_start(parse: Parse, tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "hopp.toml").write_text(config)
    (tmp_path / "taken.toml").write_text(FILE.replace('name = "relay"', 'name = "sendgrid"'))
    with pytest.raises(SettingsError, match=message):
        build(load_settings({}, tmp_path))


def test_a_source_of_an_esp_that_does_not_sign_has_to_say_what_stands_in(tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text('[[source]]\nname = "pm"\nesp = "postmark"\nsecrets = ["x:y"]')
    with pytest.raises(SettingsError, match="Set auth to one of basic, header, token"):
        build(load_settings({}, tmp_path))
