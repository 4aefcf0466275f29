"""How long things are kept is read, checked and documented."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from service.settings import Keep, SettingsError, load_settings

_PAGE = (Path(__file__).parents[3] / "docs/settings.md").read_text(encoding="utf-8")


def _keep(folder: Path, written: str) -> Keep:
    (folder / "hopp.toml").write_text(f"[retain]\n{written}\n", encoding="utf-8")
    return load_settings({}, folder).keep


def test_what_is_not_set_keeps_its_default(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).keep == Keep(archive_days=90, events_days=0, hourly_days=0)
    assert _keep(tmp_path, "events_days = 400") == Keep(archive_days=90, events_days=400)


def test_events_and_hours_may_go_together(tmp_path: Path) -> None:
    assert _keep(tmp_path, "events_days = 400\nhourly_days = 400") == Keep(events_days=400, hourly_days=400)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("archive_days = 3", "archive_days has to be 0 .for ever. or a whole number of days from 7"),
        ("archive_days = -1", "archive_days has to be 0"),
        ("events_days = 1.5", "events_days has to be 0"),
        ("events_days = true", "events_days has to be 0"),
        ("hourly_days = 30", "hourly_days = 30 has to be at least events_days"),
        ("events_days = 60\nhourly_days = 30", "Set events_days to that or less"),
        ("raw_days = 30", "there is no setting 'raw_days'"),
    ],
)
def test_what_is_wrong_is_named_with_its_mend(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        _keep(tmp_path, written)


def test_it_has_to_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text("retain = 30\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"written as \[retain\]"):
        load_settings({}, tmp_path)


def test_the_page_says_every_default() -> None:
    section = _PAGE.partition("### `[retain]`")[2].partition("\n###")[0]
    rows = re.findall(r"^\| `(\w+_days)` \| `(\d+)` \|", section, re.MULTILINE)
    assert {name: int(days) for name, days in rows} == asdict(Keep())
