"""An upgrade under load: the release before takes and processes webhooks while its tables are migrated, then this one goes on.

The release before is the last commit whose newest migration is another one, so that its own program runs on its own tables.
"""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from service.store import schema
from service.store.database import Database
from tests.e2e.posting import sender
from tests.e2e.serving import ROOT, environment_with, run_command, serving, wait_until
from tests.faults.load import Load, assert_nothing_is_lost, load_kept

pytestmark = pytest.mark.enable_socket
_MORE = 100


def _git(*arguments: str) -> bytes:
    line = ("git", "-c", f"safe.directory={ROOT}", *arguments)
    return subprocess.run(line, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A folder with the program of the release before."""
    newest = next((ROOT / "migrations/versions").glob(f"{schema.head_revision()}_*.py"))
    try:
        added = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().strip()
        packed = _git("archive", f"{added}~" if added else "HEAD")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no history to take the release before from: {error}")
    folder = tmp_path / "older"
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _kept(url: str) -> int:
    database = Database(url)
    try:
        return load_kept(database).recorded
    finally:
        database.close()


def test_an_upgrade_under_load_loses_nothing(tmp_path: Path, older: Path, database_url: str) -> None:
    one = sender("generic")
    newer = environment_with(HOPP_DATABASE=database_url)
    with serving(tmp_path, one.config, HOPP_DATABASE=database_url, PYTHONPATH=str(older)) as service, Load(service.url, one) as load:
        load.wait_for(_MORE)
        wait_until(lambda: _kept(database_url) > 0, "the release before has processed something")
        assert f"-> {schema.head_revision()}" in run_command(tmp_path, newer, "migrate")
        migrated_with = _kept(database_url)
        load.wait_for(_MORE)
        wait_until(lambda: _kept(database_url) > migrated_with, "the release before goes on, on the tables of this one")
        service.environment["PYTHONPATH"] = str(ROOT)
        service.restart()
        load.wait_for(_MORE)
        load.stop()
        assert set(load.refused) <= {0}, "nobody was there for the moment of the restart, and that is all"
        assert_nothing_is_lost(load.accepted, database_url, f"upgraded, {database_url.partition(':')[0]}")
