"""Does the first start leave a hopp.toml that works, that only its owner reads, and that is never written over?"""

import stat
import tomllib
from pathlib import Path

import pytest

from service.bootstrap import build
from service.cli.demo.sending import ESPS
from service.cli.first_start import DEMO_KEY_FILE, write_demo_config
from service.settings import SettingsError, load_settings


def _secrets(path: Path) -> list[str]:
    return [secret for source in tomllib.loads(path.read_text(encoding="utf-8"))["source"] for secret in source["secrets"]]


def test_its_four_sources_are_settings_that_start(tmp_path: Path) -> None:
    write_demo_config(tmp_path)
    hopp = build(load_settings({"HOPP_DATABASE": f"sqlite:///{tmp_path}/hopp.sqlite"}, tmp_path))
    assert [(source.name, source.esp) for source in hopp.settings.sources] == [(f"demo-{esp}", esp) for esp in ESPS]


def test_only_its_owner_may_read_the_file_and_the_key(tmp_path: Path) -> None:
    path = write_demo_config(tmp_path)
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, tmp_path / DEMO_KEY_FILE)] == [0o600, 0o600]


def test_a_hopp_toml_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text("# mine\n", encoding="utf-8")
    write_demo_config(tmp_path)
    assert (tmp_path / "hopp.toml").read_text(encoding="utf-8") == "# mine\n"


def test_no_draft_is_left_behind(tmp_path: Path) -> None:
    write_demo_config(tmp_path)
    write_demo_config(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["hopp.toml", "var", str(DEMO_KEY_FILE)]


def test_every_installation_gets_keys_of_its_own(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    first, second = (_secrets(write_demo_config(folder)) for folder in folders)
    assert set(first) & set(second) == set()


def test_a_key_that_a_crash_left_is_used(tmp_path: Path) -> None:
    path = write_demo_config(tmp_path)
    (public, *_) = _secrets(path)
    path.unlink()
    assert _secrets(write_demo_config(tmp_path))[0] == public


def test_a_key_file_without_a_key_is_named_with_the_mend(tmp_path: Path) -> None:
    key_file = tmp_path / DEMO_KEY_FILE
    key_file.parent.mkdir()
    key_file.write_text("nothing", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"demo-sendgrid\.pem.*Remove the file"):
        write_demo_config(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where a folder has to be", encoding="utf-8")
    with pytest.raises(SettingsError, match="Start Hopp in a folder that it may write to"):
        write_demo_config(tmp_path)
