"""Does `retain` tell what goes, and let it go?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, text

from service.bootstrap import Hopp
from service.cli.retaining import retain_command
from service.store import tables
from tests.web.rows import delivery_row, source_row

_LONG_AGO_US = 1_600_000_000_000_000


@pytest.fixture
def old(hopp: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hopp:
    """Two deliveries that are years old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPP_DATABASE", f"sqlite:///{tmp_path}/var/hopp.sqlite")
    with hopp.database.write() as connection:
        connection.execute(insert(tables.sources).values(**source_row()))
        for id_ in ("a" * 32, "b" * 32):
            connection.execute(insert(tables.deliveries).values(**delivery_row(id_, received_us=_LONG_AGO_US)))
    return hopp


def _retain(*arguments: str) -> Result:
    return CliRunner().invoke(retain_command, ["--quiet", *arguments])


def _left(hopp: Hopp) -> int:
    with hopp.database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM deliveries")).scalar_one())


def test_a_dry_run_tells_what_would_go_and_keeps_it(old: Hopp) -> None:
    first, *others = _retain("--dry-run").output.splitlines()
    assert first.startswith("raw deliveries     2 would go: received before 20")
    assert others == [
        "events             kept for ever; events_days in [retain] of hopp.toml sets a time",
        "hours of domains   kept for ever; hourly_days in [retain] of hopp.toml sets a time",
    ]
    assert _left(old) == 2


def test_what_is_too_old_goes_once(old: Hopp) -> None:
    assert _retain().output.startswith("raw deliveries     2 gone: received before 20")
    assert _left(old) == 0
    assert _retain().output.startswith("raw deliveries     0 gone")


def test_json_is_one_object_a_line(old: Hopp) -> None:
    values = [json.loads(line) for line in _retain("--json").output.splitlines()]
    assert [(item["what"], item["kept_days"], item["rows"], item["dropped"]) for item in values] == [
        ("archive", 90, 2, 2),
        ("events", None, 0, 0),
        ("hourly", None, 0, 0),
    ]
