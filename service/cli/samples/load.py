"""Which samples of an ESP's posts are there, and what does each tell?

`service/esp/samples/<esp>/<case>.json` (or any other ending) is a body as posted, `<case>.headers.json` its headers where they matter, and
`<case>.expected.json` what reading it gives. The tests of the adapters hold each pair to its word.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

CONTENT_TYPES = {".json": "application/json", ".form": "application/x-www-form-urlencoded", ".eml": "message/rfc822"}
_EXPECTED, _HEADERS = ".expected.json", ".headers.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One post of an ESP, before it is signed, and what reading it gives."""

    esp: str
    case: str
    body: bytes
    headers: Mapping[str, str]
    expected: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.esp}-{self.case}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its events, each once."""
        return tuple(dict.fromkeys(event["kind"] for event in self.expected.get("events", ())))

    @property
    def is_sound(self) -> bool:
        """True where all of it can be read and is what the ESP really posts, and no word that it may invent one day."""
        is_invented = "-of-new-" in self.case or bool(self.expected.get("unknown_kinds"))
        return bool(self.kinds) and not self.expected.get("problems") and not is_invented


def load_samples(esp: str) -> tuple[Sample, ...]:
    """Every sample of this ESP, by the name of its case; none for an ESP that a mapping file describes."""
    folder = Path(str(files("service.esp").joinpath("samples", esp)))
    bodies = (path for path in folder.glob("*") if not path.name.endswith((_EXPECTED, _HEADERS)))
    return tuple(_load(path) for path in sorted(bodies))


def _load(path: Path) -> Sample:
    headers_path = path.with_name(path.stem + _HEADERS)
    headers = json.loads(headers_path.read_text(encoding="utf-8")) if headers_path.exists() else {}
    return Sample(
        esp=path.parent.name,
        case=path.stem,
        body=path.read_bytes(),
        headers={"content-type": CONTENT_TYPES.get(path.suffix, ""), **headers},
        expected=json.loads(path.with_name(path.stem + _EXPECTED).read_text(encoding="utf-8")),
    )
