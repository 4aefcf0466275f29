"""Are the guides in docs/esp what the adapters and their samples say today?"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.bootstrap import build
from service.cli.guides import guide_of, index_of, secret_words
from service.cli.samples.load import load_samples
from service.cli.sources import sources_command
from service.esp import adapters
from service.settings import load_settings

FOLDER = Path(__file__).parents[2] / "docs" / "esp"
ESPS = list(adapters())
MEND = "write them anew: make guides"


@pytest.mark.parametrize("esp", ESPS)
def test_the_guide_is_what_the_adapter_says_today(esp: str) -> None:
    assert (FOLDER / f"{esp}.md").read_text(encoding="utf-8") == guide_of(adapters()[esp], load_samples(esp)), MEND


def test_the_list_of_guides_is_whole_and_there_is_no_other() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == index_of(adapters().values()), MEND
    assert {path.stem for path in FOLDER.iterdir()} == {*ESPS, "README"}


@pytest.mark.parametrize("esp", ESPS)
def test_the_source_in_the_guide_can_be_used(esp: str, tmp_path: Path) -> None:
    (entry,) = re.findall(r"```toml\n(.*?)```", guide_of(adapters()[esp], ()), re.DOTALL)
    (tmp_path / "hopp.toml").write_text(entry)
    shown = adapters()[esp].signer.make_keys(bytes(32)).trust.secrets or ("",)
    (source,) = build(load_settings({f"ACME_{esp.upper()}": shown[0]}, tmp_path)).settings.sources
    assert (source.esp, bool(source.secrets or source.options["topic_arns"])) == (esp, True)


@pytest.mark.parametrize("esp", ESPS)
def test_the_sample_in_the_guide_is_there(esp: str) -> None:
    named = re.findall(rf"send-sample --esp {esp} --case (\S+)", guide_of(adapters()[esp], load_samples(esp)))
    assert len(named) == (0 if esp in {"ses", "scaleway"} else 1)
    assert set(named) <= {sample.case for sample in load_samples(esp)}


@pytest.mark.parametrize("esp", ESPS)
def test_every_word_in_a_guide_is_one_that_the_esp_uses(esp: str) -> None:
    guide = guide_of(adapters()[esp], load_samples(esp))
    assert "of-new" not in guide
    assert "teleport" not in guide.lower()


@pytest.mark.parametrize(
    ("esp", "auth", "words"),
    [
        ("resend", None, "signing secret, the same on both sides"),
        ("sendgrid", None, "public key"),
        ("ses", None, "`topic_arns`"),
        ("scaleway", None, "authority"),
        ("ses", "basic", "`user:password`"),
        ("brevo", "header:X-Key", "in the header `X-Key`"),
        ("brevo", "token", "?token=SECRET"),
        ("brevo", "none", "anybody may post"),
    ],
)
def test_what_proves_a_post_is_said(esp: str, auth: str | None, words: str) -> None:
    assert words in secret_words(adapters()[esp], auth)


def test_a_guide_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(sources_command, ["--guide", "brevo"]).stdout == (FOLDER / "brevo.md").read_text(encoding="utf-8")
    refused = CliRunner().invoke(sources_command, ["--guide", "nomail"])
    assert (refused.exit_code, "there is no ESP 'nomail'" in refused.stderr) == (2, True)


def test_a_mapped_esp_has_a_guide_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hopp.toml").write_text('[[mapping]]\nfile = "relay.toml"')
    (tmp_path / "relay.toml").write_text(
        'name = "relay"\nguide = "Ask Bea."\n[fields]\nrecipient = "a"\nesp_event_type = "b"\n[kinds]\nx = "bounced"'
    )
    guide = CliRunner().invoke(sources_command, ["--guide", "relay"]).stdout
    assert "Ask Bea." in guide
    assert "It tells that a mail bounced, and no more." in guide
    assert "send-sample" not in guide


def test_all_guides_are_written_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(sources_command, ["--write-guides", str(tmp_path / "esp")])
    assert result.exit_code == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "esp").iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
