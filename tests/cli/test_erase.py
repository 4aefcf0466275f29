"""Is a person gone after `erase`, and is everything counted as before?"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from service.bootstrap import Hopp
from service.cli.erasing import erase_command
from service.model.events import Delivery
from service.model.moments import to_us
from service.pipeline.process import process
from service.store.database import Database
from service.web.delivery_ids import delivery_id
from tests.cli.installations import Clock

ANNA, BERT = "anna.muster@steel.example", "bert@steel.example"
_COUNTS = ("domain_hourly", "source_hourly", "recipient_domains", "reply_hourly")


def _bounce(recipient: str, said: str, message: str) -> str:
    return (
        f'{{"kind": "bounced", "recipient": "{recipient}", "reported_type": "hard", "occurred_at": "2026-03-04T11:00:00Z",'
        f' "diagnostic": "{said}", "message_id": "{message}", "subject": "Dear Anna", "esp_event_id": "{message}"}}'
    )


@pytest.fixture
def filled(hopp: Hopp, clock: Clock) -> Hopp:
    """Anna alone, Anna named in an answer to Bert, a body nobody can read, and Bert alone."""
    bodies = (
        _bounce(ANNA, f"550 5.1.1 <{ANNA.upper()}>: anna.muster unknown", "m1@mail.example"),
        _bounce(BERT, f"550 loop with {ANNA}", "m2@mail.example"),
        f'{{"kind": "what", "recipient": "{ANNA.replace("@", chr(92) + "u0040")}"',
        _bounce(BERT, "550 5.1.1 unknown", "m3@mail.example"),
    )
    stream = [Delivery(id=delivery_id(clock()), source="acme", esp="generic", received_at=clock(), body=body.encode()) for body in bodies]
    process(stream, hopp.tools(), now_us=to_us(clock()))
    return hopp


def _erase(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = "") -> Result:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOPP_DATABASE", f"sqlite:///{folder}/var/hopp.sqlite")
    return CliRunner().invoke(erase_command, ["--quiet", *arguments], input=typed)


def _rows(database: Database, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as connection:
        return {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in tables}


def test_nothing_kept_names_the_person_and_everything_is_counted_as_before(
    filled: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = _rows(filled.database, *_COUNTS)
    result = _erase(tmp_path, monkeypatch, ANNA)

    assert result.output.splitlines() == [
        "recipient   renamed",
        "events      2 cleaned of the address; they are counted as before",
        "deliveries  3 emptied in the archive; they cannot be replayed",
    ]
    assert _rows(filled.database, *_COUNTS) == counts
    with filled.database.read() as connection:
        written = connection.execute(text("SELECT address, diagnostic, message_id, extra FROM recipients JOIN events e ON 1 = 1")).all()
        states = connection.execute(text("SELECT state FROM deliveries")).scalars().all()
    assert "muster" not in str(written).lower()
    assert sorted(states) == ["erased", "erased", "erased", "processed"]
    filled.database.close()
    files = b"".join(path.read_bytes() for path in (tmp_path / "var").glob("hopp.sqlite*"))
    assert b"muster" not in files.lower()


def test_a_dry_run_tells_the_same_and_changes_nothing(filled: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _rows(filled.database, "events", "recipients", "deliveries")
    result = _erase(tmp_path, monkeypatch, "--dry-run", "--json", "-", typed=f"{ANNA.title()}\n")
    assert result.output == '{"known":true,"deliveries":3,"events":2,"waiting":0,"dry_run":true}\n'
    assert _rows(filled.database, "events", "recipients", "deliveries") == before


def test_the_second_time_finds_nothing(filled: Hopp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _erase(tmp_path, monkeypatch, ANNA)
    result = _erase(tmp_path, monkeypatch, "--json", ANNA)
    assert result.output == '{"known":false,"deliveries":0,"events":0,"waiting":0,"dry_run":false}\n'


def test_what_waits_is_told(filled: Hopp, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.inbox.append(Delivery(id=delivery_id(clock()), source="acme", esp="generic", received_at=clock(), body=b"{}"))
    assert "inbox       1 wait and were not looked at" in _erase(tmp_path, monkeypatch, ANNA).output


def test_what_is_no_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _erase(tmp_path, monkeypatch, "anna")
    assert (result.exit_code, "name@example.com" in result.output) == (2, True)
