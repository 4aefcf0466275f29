"""Does the house stand: pins, commands, rules and the way the web is served?"""

import os
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
CONTRACTS: list[dict[str, Any]] = tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
PINS = ("requirements", "requirements-dev", "requirements-bench", "requirements-fuzz")


def _names(file: str) -> set[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {found[0] for line in lines if (found := re.match(r"[a-z][a-z0-9-]*", line))}


def _sources(contract_name: str) -> set[str]:
    contract = next(entry for entry in CONTRACTS if entry["name"].startswith(contract_name))
    return {module.removeprefix("service.") for module in contract["source_modules"]}


def _rooms() -> set[str]:
    return {path.stem for path in (ROOT / "service").iterdir() if not path.name.startswith("_")}


@pytest.mark.parametrize("name", PINS)
def test_every_pin_is_exact_and_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / f"{name}.txt").read_text(encoding="utf-8"))
    assert [entry for entry in entries if not re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+ .*\\\n    --hash=sha256:", entry)] == []


@pytest.mark.parametrize("name", PINS)
def test_everything_wanted_is_pinned(name: str) -> None:
    assert _names(f"{name}.in") - _names(f"{name}.txt") == set()


@pytest.mark.parametrize("name", PINS)
def test_no_address_says_where_packages_come_from(name: str) -> None:
    text = "".join((ROOT / f"{name}.{suffix}").read_text(encoding="utf-8") for suffix in ("in", "txt"))
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links", text) == []


def test_every_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert [target for target in targets.split() if not re.search(rf"^{target}:.* ## \S", makefile, re.MULTILINE)] == []


def test_every_rule_that_is_left_out_has_its_reason_beside_it() -> None:
    rules = re.findall(r'^    "[A-Z]+\d+".*$', PYPROJECT, re.MULTILINE)
    assert rules
    assert [rule for rule in rules if not re.search(r", +# \S", rule)] == []


@pytest.mark.parametrize(
    ("contract_name", "exempt"),
    [
        ("Flask is known", {"web"}),
        ("SQLAlchemy is known", {"store", "inbox"}),
        ("Only outbound and inbox", {"outbound", "inbox"}),
    ],
)
def test_every_room_is_pure_or_named_in_the_contract_or_exempt(contract_name: str, exempt: set[str]) -> None:
    """A room that is added must not escape a contract by being forgotten in its list."""
    assert _rooms() - _sources("Pure rooms") - _sources(contract_name) == exempt


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Neither a variable nor a hopp.toml of this machine is seen."""
    for name in [name for name in os.environ if name.startswith("HOPP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # what gunicorn.conf.py sets is undone with it
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.parametrize(("inbox", "expected"), [("sqlite:///inbox.sqlite", (1, 32)), ("postgresql://example/hopp", (2, 32))])
def test_sqlite_has_one_web_process_with_many_threads(no_settings: pytest.MonkeyPatch, inbox: str, expected: tuple[int, int]) -> None:
    no_settings.setenv("HOPP_INBOX", inbox)
    served = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    if "_metrics_folder" in served:
        served["_metrics_folder"].cleanup()
    assert (served["workers"], served["threads"]) == expected


def test_gunicorn_is_stopped_by_a_wrong_setting_that_names_itself(no_settings: pytest.MonkeyPatch) -> None:
    no_settings.setenv("HOPP_BIND", "nowhere")
    with pytest.raises(SystemExit, match="HOPP_BIND"):
        runpy.run_path(str(ROOT / "gunicorn.conf.py"))
