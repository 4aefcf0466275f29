"""Does docs/settings.md say every setting, with the default that is in force?"""

import re
from dataclasses import asdict, fields
from pathlib import Path

from service import settings as module
from service.alerting.policy import CLASS_TABLE, ClassThresholds, Policy
from service.settings import DEFAULT_CONFIG, VARIABLES, load_settings

PAGE = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")


def _table(first_column: str, text: str = PAGE) -> dict[str, list[str]]:
    """The rows of the table whose first column has this head, by their first cell, without code marks."""
    _, _, rest = text.partition(f"| {first_column} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip(" `"): [cell.strip("`") for cell in row[1:]] for row in rows}


def test_every_variable_stands_there_with_its_default(tmp_path: Path) -> None:
    default = load_settings({}, tmp_path)
    in_force = {
        "HOPP_DATABASE": default.database,
        "HOPP_INBOX": default.inbox,
        "HOPP_INBOX_REPLICAS": str(default.inbox_replicas),
        "HOPP_BIND": default.bind,
        "HOPP_CONFIG": DEFAULT_CONFIG,
        "HOPP_PUBLIC_URL": default.public_url,
        "HOPP_BODY_LIMIT_BYTES": str(default.body_limit_bytes),
        "HOPP_FREE_BYTES_MIN": str(default.free_bytes_min),
        "HOPP_BATCH_DELIVERIES": str(default.batch_deliveries),
        "HOPP_WEB_PROCESSES": str(default.web_processes),
        "HOPP_WEB_THREADS": str(default.web_threads),
        "HOPP_LOG_FORMAT": default.log_format,
        "HOPP_LOG_LEVEL": default.log_level,
    }
    assert in_force.keys() == VARIABLES.keys()
    assert {name: row[0] for name, row in _table("variable").items()} == in_force


def test_every_table_of_the_file_stands_there() -> None:
    assert {re.sub(r"[\[\]]|\.….*", "", name) for name in _table("table")} == module._TABLES


def test_every_key_of_a_source_stands_there() -> None:
    assert _table("key").keys() == module._SOURCE_KEYS


def test_every_threshold_stands_there_with_its_default_and_unit() -> None:
    policy = Policy()
    in_force = {item.name: f"{getattr(policy, item.name):g}" for item in fields(Policy) if item.name != "classes"}
    rows = _table("threshold")
    assert {name: row[0] for name, row in rows.items()} == in_force
    assert [name for name, row in rows.items() if not row[1]] == []


def test_the_class_table_stands_there() -> None:
    names = [item.name for item in fields(ClassThresholds)]
    assert f"| class | {' | '.join(f'`{name}`' for name in names)} |" in PAGE
    shown = {name: [cell.strip("` |") for cell in row] for name, row in _table("class").items()}
    assert shown == {name.value: [f"{value:g}" for value in asdict(row).values()] for name, row in CLASS_TABLE.items()}
