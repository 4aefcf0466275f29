"""Do health and error answers say what is so, and nothing more?"""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.inbox.port import InboxState
from service.model.events import Delivery
from service.store.database import Database
from service.web.app import create_app
from service.web.probes import Readiness
from tests.web.worlds import SECRET, MakeWorld, World

ROOT = Path(__file__).parents[2]


NOWHERE = "postgresql://hopp@127.0.0.1:1/hopp"


def _without_database(world: World) -> Any:  # noqa: ANN401 - werkzeug's client
    return create_app(replace(world.hopp, database=Database(NOWHERE))).test_client()


def _checks(answer: Any) -> dict[str, bool]:  # noqa: ANN401 - werkzeug's test response
    return {check["name"]: check["ok"] for check in answer.get_json()["checks"]}


def test_a_sound_service_is_alive_and_ready(world: World) -> None:
    assert world.client.get("/healthz").get_json() == {"status": "alive"}
    for _ in range(2):  # the second time without reading the migrations
        answer = world.client.get("/readyz")
        assert (answer.status_code, set(_checks(answer).values())) == (200, {True})


def test_ready_stays_while_the_database_is_away_and_says_so(world: World) -> None:
    """The inbox keeps what comes: sending ESPs away would lose what could be kept."""
    client = _without_database(world)
    answer = client.get("/readyz")
    assert (answer.status_code, _checks(answer)["database"], _checks(answer)["inbox"]) == (200, False, True)
    assert client.post(f"/webhooks/pm?token={SECRET}", data=b"{}").status_code == 200


def test_ready_asks_the_database_each_time_and_its_tables_once_a_minute(world: World) -> None:
    readiness = Readiness(world.hopp, lambda _folder: 10**12)
    assert all(check.is_ok for check in readiness.checks())
    lost = Readiness(replace(world.hopp, database=Database(NOWHERE)), lambda _folder: 10**12)
    lost._schema_good_until = readiness._schema_good_until
    assert [check.is_ok for check in lost.checks() if check.name == "database"] == [False]


def test_a_database_that_is_back_is_logged_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    readiness = Readiness(world.hopp, lambda _folder: 10**12)
    readiness._was_silent = True
    for _ in range(2):
        readiness.checks()
    assert "".join(capsys.readouterr()).count("database_answers_again") == 1


def test_a_folder_that_cannot_be_read_is_not_ready(world: World) -> None:
    def unreadable(_folder: str) -> int:
        raise PermissionError

    failed = {check.name for check in Readiness(world.hopp, unreadable).checks() if check.stops and not check.is_ok}
    assert failed == {"inbox disk", "database disk"}


def test_tables_that_do_not_fit_are_not_ready(world: World) -> None:
    with world.hopp.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    answer = world.client.get("/readyz")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert "python -m service migrate" in answer.get_json()["detail"]


class _LostInbox:
    def state(self) -> InboxState:
        raise OSError("disk gone")

    def append(self, delivery: Delivery) -> None:
        raise OSError("disk gone")


def test_webhooks_are_not_said_to_be_kept_where_the_inbox_is_away_too(world: World) -> None:
    """As where both lie in one PostgreSQL."""
    away = replace(world.hopp, database=Database(NOWHERE))
    lost = replace(away, inbox=_LostInbox())  # type: ignore[arg-type]  # only these are called
    alone, both = (Readiness(hopp, lambda _folder: 10**12).checks()[-1] for hopp in (away, lost))
    assert "kept in the inbox" in alone.detail
    assert "not taken either" in both.detail


def test_an_inbox_that_does_not_answer_is_not_ready(world: World) -> None:
    client = create_app(replace(world.hopp, inbox=_LostInbox())).test_client()  # type: ignore[arg-type]  # nothing else is asked
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"], _checks(answer)["inbox"]) == (503, "30", False)
    assert "hopp_inbox_up 0.0" in client.get("/metrics").text


@pytest.mark.parametrize(("free", "status"), [(1_000_000, 503), (10**12, 200)])
def test_a_disk_that_is_nearly_full_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch, free: int, status: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr("service.web.probes.shutil.disk_usage", lambda _folder: usage)
    answer = world.client.get("/readyz")
    assert answer.status_code == status
    assert ("Make room" in answer.text) == (status == 503)


def test_how_much_of_a_disk_has_to_be_free_is_a_setting(make_world: MakeWorld) -> None:
    strict, easy = make_world(free_bytes_min=10**18), make_world(free_bytes_min=0)
    assert [world.client.get("/readyz").status_code for world in (strict, easy)] == [503, 200]


def test_the_api_is_a_503_while_the_database_is_away(world: World) -> None:
    answer = _without_database(world).get("/api/v1/alerts", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "30"


def test_a_database_that_goes_away_between_two_statements_is_a_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ValueError

    world.client.application.add_url_rule("/broken", "broken", broken)
    monkeypatch.setattr(Database, "answers", lambda _self: False)
    assert world.client.get("/broken").status_code == 503


def test_a_fault_is_a_500_that_shows_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise ValueError("anna@steel.example")

    world.client.application.add_url_rule("/broken", "broken", broken)
    answer = world.client.get("/broken")
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "anna" not in answer.text
    assert "request_failed" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "path",
    ["/anna@steel.example", "/api/v1/anna%40steel.example", "/api/v1/alerts?anna@steel.example=1", "/api/v1/alerts/anna@steel.example"],
)
def test_no_problem_document_holds_an_address(world: World, path: str) -> None:
    answer = world.ask(path)
    assert answer.status_code in {404, 422}
    assert "anna" not in answer.text


def test_errors_are_problem_documents(world: World) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/healthz", 405), ("GET", "/api/v1/alerts", 401)):
        answer = world.client.open(path, method=method)
        body = answer.get_json()
        assert (answer.status_code, answer.content_type, body["status"]) == (status, "application/problem+json", status)
        assert {"type", "title", "status", "detail", "instance"} <= set(body)


def test_wsgi_builds_the_application_from_the_environment(make_world: MakeWorld, tmp_path: Path) -> None:
    make_world()
    program = "import wsgi; print(wsgi.app.test_client().get('/healthz').status_code)"
    environment = {"HOPP_DATABASE": f"sqlite:///{tmp_path}/0/hopp.sqlite", "HOPP_CONFIG": "", "PYTHONPATH": str(ROOT)}
    finished = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (finished.stdout.strip(), finished.returncode) == ("200", 0)
