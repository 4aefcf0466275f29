"""Does SQLite's log give its room back after somebody read for long?"""

from pathlib import Path

import pytest
from sqlalchemy import text

from service.store import database as module
from service.store.database import Database

_ALLOWED = 100_000


def _write(database: Database, megabytes: int) -> None:
    for _ in range(megabytes):
        with database.write() as connection:
            connection.execute(text("INSERT INTO filled VALUES (randomblob(1000000))"))


def test_the_log_shrinks_once_a_long_reader_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOG_BYTES", _ALLOWED)
    monkeypatch.setattr(module, "_WAL_PAGES", 100)
    database, log = Database(f"sqlite:///{tmp_path}/hopp.sqlite"), tmp_path / "hopp.sqlite-wal"
    with database.write() as connection:
        connection.execute(text("CREATE TABLE filled (body BLOB)"))
    with database.read() as reader:
        reader.execute(text("BEGIN"))
        reader.execute(text("SELECT count(*) FROM filled"))
        _write(database, 5)
        assert log.stat().st_size > 5_000_000
        reader.execute(text("COMMIT"))
    _write(database, 1)  # its checkpoint ends
    with database.write() as connection:
        connection.execute(text("DELETE FROM filled WHERE 0"))
        connection.execute(text("INSERT INTO filled VALUES ('a small one begins the log anew')"))
    assert log.stat().st_size <= _ALLOWED
    database.close()
