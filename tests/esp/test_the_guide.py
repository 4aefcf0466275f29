"""Does the module that docs/adding-an-esp.md shows work as it says?"""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

from service.esp_kit.adapter import Accepted, Adapter, Refused
from tests.esp.cases import CHANCE, NOW, delivery_of, request_of, shown

GUIDE = Path(__file__).parents[2] / "docs" / "adding-an-esp.md"
BODY = (
    b'[{"event":"bounce","to":"A@mail.example","ts":"1767600123","id":"e1","code":550,"response":"550 5.1.1 no"},'
    b'{"event":"new","id":"e2"},{}]'
)


def shown_module() -> str:
    module = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert module
    return module[1]


def shown_adapter() -> Adapter:
    names: dict[str, Any] = {}
    exec(shown_module(), names)  # noqa: S102 - the guide is ours
    adapter = names["ADAPTER"]
    assert isinstance(adapter, Adapter)
    return adapter


def test_module_in_the_guide_reads_its_events() -> None:
    parsed = shown_adapter().parse(delivery_of(BODY, {}))
    assert shown(parsed.events[0]) == {
        "kind": "bounced",
        "esp": "examplemail",
        "recipient": "a@mail.example",
        "occurred_at": "2026-01-05T08:02:03Z",
        "esp_event_id": "e1",
        "esp_event_type": "bounce",
        "reported_type": "hard",
        "smtp_code": 550,
        "enhanced_status_code": "5.1.1",
        "diagnostic": "550 5.1.1 no",
        "phase": "unknown",
    }
    assert (len(parsed.events), len(parsed.problems), parsed.unknown_kinds) == (2, 1, ("new",))


def test_module_in_the_guide_verifies_its_signature() -> None:
    adapter = shown_adapter()
    keys = adapter.signer.make_keys(CHANCE)
    request = adapter.signer.sign(request_of(BODY, {}), keys, NOW)
    assert adapter.verify(request, keys.trust, NOW) == Accepted()
    assert isinstance(adapter.verify(replace(request, body=BODY + b" "), keys.trust, NOW), Refused)


def test_one_new_module_and_its_samples_are_all_that_an_esp_takes(tmp_path: Path) -> None:
    """In a copy of the service with nothing else edited, every command knows the new ESP."""
    esp_room = copytree(GUIDE.parents[1] / "service", tmp_path / "service") / "esp"
    samples = esp_room / "samples" / "examplemail"
    samples.mkdir()
    (esp_room / "examplemail.py").write_text(shown_module(), encoding="utf-8")
    (samples / "batch.json").write_bytes(BODY)
    (samples / "batch.expected.json").write_text('{"events": [{"kind": "bounced"}]}', encoding="utf-8")

    asked = (
        ["sources", "--available"],
        ["parse", "--esp", "examplemail", str(samples / "batch.json")],
        ["send-sample", "--esp", "examplemail", "--case", "batch", "--print"],
    )
    script = f"from service.cli.main import commands\nfor asked in {asked!r}:\n    commands.main(asked, standalone_mode=False)"
    environment = {**os.environ, "HOPP_DATABASE": f"sqlite:///{tmp_path}/hopp.sqlite"}
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "\nexamplemail   Examplemail\n" in told
    assert '"recipient":"a@mail.example"' in told
    assert "x-examplemail-signature" in told.lower()
