"""Do the metrics say what is so, with few labels?"""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.store import reply_tables, tables
from service.store.database import Database
from service.telemetry.metrics import WebMetrics
from service.web.app import create_app
from tests.web.rows import HOUR, NOW_US, alert_row, lag_row, source_row
from tests.web.worlds import SECRET, World

ROOT = Path(__file__).parents[2]


NOWHERE = "postgresql://hopp@127.0.0.1:1/hopp"


def _without_database(world: World) -> Any:  # noqa: ANN401 - werkzeug's client
    return create_app(replace(world.hopp, database=Database(NOWHERE))).test_client()


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
        'hopp_source_inbox_waiting{source="pm"} 1.0',
        'hopp_source_inbox_waiting{source="closed"} 0.0',
        'hopp_source_inbox_oldest_seconds{source="pm"} 0.0',
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


def test_a_jump_of_undetermined_answers_shows_by_source(world: World) -> None:
    world.add(tables.sources, **source_row())
    world.add(tables.sources, id=2, name="trial", esp="generic", is_test=True, first_seen_us=NOW_US)
    for source_id in (1, 2):
        for hour, gateway, answered, undetermined in (
            (HOUR, "", 50, 30),
            (HOUR - 23, "cisco", 50, 10),
            (HOUR - 24, "cisco", 4_000, 40),
            (HOUR - 24 - 671, "", 1_000, 10),
            (HOUR - 24 - 672, "", 9_000, 9_000),
        ):
            values = {"hour": hour, "gateway": gateway, "answered": answered, "undetermined": undetermined}
            world.add(reply_tables.reply_hourly, source_id=source_id, **values)
    text = world.client.get("/metrics").text
    for line in (
        'hopp_source_undetermined_share{source="acme"} 0.4',
        'hopp_source_undetermined_share_before{source="acme"} 0.01',
        'hopp_source_undetermined_jump{source="acme"} 1.0',
    ):
        assert line in text.splitlines()
    assert 'source="trial"' not in text


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
