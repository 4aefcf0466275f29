"""Do health, metrics, pages and error answers say what is so, and nothing more?"""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from service.inbox.port import InboxState
from service.model.events import Delivery
from service.model.words import Role
from service.schemas.alerts import ALERT_DETAIL_EXAMPLE, AlertDetailSchema
from service.schemas.deliveries import DELIVERY_DETAIL_EXAMPLE, DeliveryDetailSchema
from service.schemas.domains import DOMAIN_EXAMPLE, DomainSchema
from service.schemas.events import EVENT_EXAMPLE, EventSchema
from service.store import tables
from service.store.database import Database
from service.telemetry.metrics import WebMetrics
from service.web.app import create_app
from service.web.probes import Readiness
from tests.web.worlds import HOUR, NOW_US, SECRET, MakeWorld, World, alert_row, lag_row, source_row

ROOT = Path(__file__).parents[2]
NOWHERE = "postgresql://hopp@127.0.0.1:1/hopp"
EVERY_PAGE = ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/api/v1/alerts", "/nothing")


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


def test_metrics_hold_what_the_tables_say(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.source_lag, **lag_row())
    for hour, count in ((HOUR, 3), (HOUR - 1, 4), (HOUR - 2_000, 10)):
        world.add(tables.source_hourly, source_id=1, hour=hour, outcome="bounced", count=count)
    world.add(tables.alerts, **alert_row())
    world.add(tables.due_checks, domain="steel.example", first_us=NOW_US, widest_us=1, due_us=NOW_US - 7_000_000)
    world.client.post(f"/webhooks/pm?token={SECRET}", data=b"{}")
    text = world.client.get("/metrics").text
    for line in (
        'hopp_events_total{outcome="bounced",source="acme"} 17.0',
        'hopp_alerts{severity="critical",state="firing"} 1.0',
        "hopp_due_checks 1.0",
        "hopp_due_checks_overdue_seconds 7.0",
        'hopp_source_quiet_seconds{source="acme"} 90.0',
        "hopp_inbox_waiting 1.0",
        "hopp_inbox_up 1.0",
        "hopp_database_up 1.0",
    ):
        assert line in text.splitlines()


def test_totals_grow_between_two_scrapes_of_one_hour(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.source_hourly, source_id=1, hour=HOUR - 2_000, outcome="bounced", count=10)
    world.client.get("/metrics")
    world.add(tables.source_hourly, source_id=1, hour=HOUR, outcome="bounced", count=5)
    assert 'hopp_events_total{outcome="bounced",source="acme"} 15.0' in world.client.get("/metrics").text


def test_metrics_come_while_the_database_is_away(world: World) -> None:
    client = _without_database(world)
    client.post(f"/webhooks/pm?token={SECRET}", data=b"{}")
    text = client.get("/metrics").text
    assert "hopp_database_up 0.0" in text
    assert 'hopp_webhooks_total{outcome="accepted",source="pm"} 1.0' in text


def test_no_metric_names_a_recipient_domain(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.alerts, **alert_row())
    assert "steel" not in world.client.get("/metrics").text


def test_reasons_of_refusals_are_bounded() -> None:
    metrics = WebMetrics()
    for number in range(100):
        metrics.count_refused("pm", f"reason {number}")
    lines = [line for line in metrics.exposition().decode().splitlines() if line.startswith("hopp_webhooks_refused_total{")]
    assert len(lines) == 41
    assert 'hopp_webhooks_refused_total{reason="other",source="pm"} 60.0' in lines


def test_every_metric_is_described_and_every_description_is_of_a_metric(world: World) -> None:
    world.add(tables.sources, **source_row())
    found = set(re.findall(r"^# TYPE (hopp_\w+)", world.client.get("/metrics").text, re.MULTILINE))
    described = re.findall(r"^\| `(hopp_\w+)`", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found == set(described)


def test_several_processes_add_up(tmp_path: Path) -> None:
    """The library chooses how it counts when it is imported, so each process is a real one."""
    count = "from service.telemetry.metrics import WebMetrics; m = WebMetrics(); m.webhooks.labels('pm', 'accepted').inc(); "
    program = count + "import sys; sys.stdout.buffer.write(m.exposition())"
    texts = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}, capture_output=True, check=True
        ).stdout.decode()
        for _ in range(2)
    ]
    assert 'hopp_webhooks_total{outcome="accepted",source="pm"} 2.0' in texts[1]


def test_the_description_of_the_api_is_valid_openapi(world: World) -> None:
    document = world.client.get("/openapi.json").get_json()
    validate(document)
    served = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in world.client.application.url_map.iter_rules()}
    assert served - set(document["paths"]) == {"/", "/docs", "/static/{filename}"}
    assert set(document["paths"]) <= served


def test_every_route_of_the_api_is_described_with_role_example_and_problems(world: World) -> None:
    document = world.client.get("/openapi.json").get_json()
    for path, item in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        operation = item["get"]
        assert operation["x-role"] in list(Role)
        assert operation["responses"]["200"]["content"]["application/json"]["example"]
        assert {"401", "403", "503"} <= set(operation["responses"])
        assert all(parameter.get("description") for parameter in operation.get("parameters", []) if parameter["in"] == "query")


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        (AlertDetailSchema, ALERT_DETAIL_EXAMPLE),
        (EventSchema, EVENT_EXAMPLE),
        (DeliveryDetailSchema, DELIVERY_DETAIL_EXAMPLE),
        (DomainSchema, DOMAIN_EXAMPLE),
    ],
)
def test_examples_have_the_fields_of_their_schema(schema: Any, example: dict[str, Any]) -> None:  # noqa: ANN401 - marshmallow's own
    fields = schema().fields
    assert list(example) == [field.data_key or name for name, field in fields.items()]
    nested = {name: field.schema for name, field in fields.items() if hasattr(field, "schema")}
    assert all(set(example[name]) == set(inner.fields) for name, inner in nested.items())


def test_the_page_lists_every_route_and_loads_nothing_from_elsewhere(world: World) -> None:
    page = world.client.get("/docs").text
    for path in world.client.get("/openapi.json").get_json()["paths"]:
        assert f"<code>{path}</code>" in page
    assert re.findall(r"(?:src|href)=\"(?!/|#)[^\"]*\"", page) == []
    assert "<script" not in page
    with world.client.get("/static/docs.css") as style:
        assert style.status_code == 200


def test_every_kind_of_problem_has_a_place_on_the_page(world: World) -> None:
    page = world.client.get("/docs").text
    for path in ("/nothing", "/webhooks/nobody", "/api/v1/alerts"):
        kind = world.client.get(path).get_json()["type"]
        assert f'id="{kind.partition("#")[2]}"' in page


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_browsers_are_told_to_do_nothing_but_show(world: World, path: str) -> None:
    headers = world.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"


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
