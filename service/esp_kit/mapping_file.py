"""What does a mapping file say, and what is wrong with one that cannot be used?

The file describes an ESP that Hopp does not know: where in its JSON the fields of an event stand, what its words for the kinds mean, and
how it signs. An error names the file, the place in it, the fault and the mend.
"""

import re
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from service.esp_kit.mapping_paths import Path, PathError, read_path
from service.model.errors import DataFileError
from service.model.words import EventKind, Phase, ReportedType

FIELDS = (
    "recipient", "occurred_at", "message_id", "esp_event_id", "esp_event_type", "esp_class", "esp_subclass", "smtp_code",
    "enhanced_status_code", "diagnostic", "smtp_stage", "remote_host", "remote_ip", "sending_ip", "campaign", "tags", "metadata", "subject",
)  # fmt: skip
_NEEDED_FIELDS = ("recipient", "esp_event_type")
_KEYS = ("name", "title", "format", "events", "identity", "guide", "fields", "kinds", "signature", "answers")
_KIND_KEYS = ("kind", "reported_type", "suppressed_by_esp", "phase")
_SIGNATURE_KEYS = {
    "hmac": ("scheme", "header", "digest", "encoding", "prefix"),
    "timestamped": ("scheme", "header"),
    "standard_webhooks": ("scheme",),
}
_DIGESTS = ("sha256", "sha512", "sha1")
_ENCODINGS = ("hex", "base64")
_FORMATS = ("json", "lines", "form")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
_REFUSED = range(400, 500)
_UNAVAILABLE = (429, *range(500, 600))
_Word = TypeVar("_Word", bound=StrEnum)


class MappingError(DataFileError):
    """A mapping file cannot be used: the text names the file, the place in it, the fault and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one of the ESP's words for a kind of event means."""

    kind: EventKind
    reported_type: ReportedType | None = None
    suppressed_by_esp: bool | None = None
    phase: Phase | None = None  # None: what the kind says


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSpec:
    """How the ESP signs."""

    scheme: str  # a key of _SIGNATURE_KEYS
    header: str = ""  # lower case
    digest: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One ESP as a mapping file describes it."""

    name: str
    title: str
    fields: Table[str, tuple[Path, ...]]
    kinds: Table[str, Meaning]
    format: str = "json"
    events: Path | None = None  # None: the body is one event or an array of them
    identity: tuple[Path, ...] = ()
    signature: SignatureSpec | None = None
    answers: Table[str, int] = field(default_factory=dict)
    guide: str = ""


def read_mapping(text: str, file: str) -> Mapping:
    """The mapping that a file's text holds; raises MappingError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{file}: is not valid TOML: {error}. Correct that line.") from error
    return _Reader(file).mapping(document)


class _Reader:
    """Reads one file; its name is part of every error."""

    def __init__(self, file: str) -> None:
        self._file = file

    def mapping(self, document: Table[str, object]) -> Mapping:
        self._refuse_unknown(document, _KEYS, "")
        name = self._text(document, "name", "")
        if not _NAME.fullmatch(name):
            raise self._error("name", f"is {name!r}", "Use a-z, 0-9 and _, beginning with a letter, at most 40 characters.")
        form = self._choice(document, "format", _FORMATS, "")
        events = self._paths(document["events"], "events") if "events" in document else ()
        if events and form != "json":
            raise self._error("events", f'does not go with format = "{form}"', "Leave it out: each line, or the form, is one event.")
        if len(events) > 1 or any(path.start for path in events):
            raise self._error("events", "has to be one path from the beginning of the body", 'For example: events = "data.events[]"')
        return Mapping(
            name=name,
            title=self._text(document, "title", "") if "title" in document else name,
            format=form,
            events=events[0] if events else None,
            identity=self._paths(document["identity"], "identity") if "identity" in document else (),
            fields=self._fields(self._table(document, "fields")),
            kinds=self._kinds(self._table(document, "kinds")),
            signature=self._signature(self._table(document, "signature")) if "signature" in document else None,
            answers=self._answers(self._table(document, "answers")) if "answers" in document else {},
            guide=self._text(document, "guide", "") if "guide" in document else "",
        )

    def _fields(self, table: Table[str, object]) -> dict[str, tuple[Path, ...]]:
        self._refuse_unknown(table, FIELDS, "[fields] ")
        for name in _NEEDED_FIELDS:
            if name not in table:
                raise self._error(f"[fields] {name}", "is missing", f'Say where it stands: {name} = "path.to.it"')
        return {name: self._paths(value, f"[fields] {name}") for name, value in table.items()}

    def _paths(self, value: object, place: str) -> tuple[Path, ...]:
        given: list[object] = value if isinstance(value, list) else [value]
        written = [item for item in given if isinstance(item, str)]
        if not written or len(written) < len(given):
            raise self._error(place, "is no path", 'Write "a.path", or several of which the first that holds something counts: ["a", "b"]')
        try:
            return tuple(read_path(item) for item in written)
        except PathError as error:
            raise self._error(place, f"holds a wrong path: {error}", "Correct it.") from error

    def _kinds(self, table: Table[str, object]) -> dict[str, Meaning]:
        if not table:
            raise self._error("[kinds]", "is empty", 'Give each word for a kind of event its meaning: delivered = "delivered"')
        return {word: self._meaning(value, f"[kinds] {word}") for word, value in table.items()}

    def _meaning(self, value: object, place: str) -> Meaning:
        table = {"kind": value} if isinstance(value, str) else value
        if not isinstance(table, dict) or "kind" not in table:
            raise self._error(place, "says no kind", 'Write "bounced", or { kind = "bounced", reported_type = "hard" }')
        self._refuse_unknown(table, _KIND_KEYS, f"{place}: ")
        suppressed = table.get("suppressed_by_esp")
        if suppressed is not None and not isinstance(suppressed, bool):
            raise self._error(f"{place}: suppressed_by_esp", f"is {suppressed!r}", "Use true or false.")
        return Meaning(
            kind=self._word(table["kind"], EventKind, f"{place}: kind"),
            reported_type=self._word(table["reported_type"], ReportedType, f"{place}: reported_type") if "reported_type" in table else None,
            suppressed_by_esp=suppressed,
            phase=self._word(table["phase"], Phase, f"{place}: phase") if "phase" in table else None,
        )

    def _signature(self, table: Table[str, object]) -> SignatureSpec:
        self._text(table, "scheme", "[signature] ")
        scheme = self._choice(table, "scheme", tuple(_SIGNATURE_KEYS), "[signature] ")
        self._refuse_unknown(table, _SIGNATURE_KEYS[scheme], f'[signature] with scheme = "{scheme}": ')
        if scheme == "standard_webhooks":
            return SignatureSpec(scheme=scheme)
        header = self._text(table, "header", "[signature] ")
        if not _HEADER.fullmatch(header):
            raise self._error("[signature] header", f"is {header!r}", "Give the name of the header that holds the signature.")
        return SignatureSpec(
            scheme=scheme,
            header=header.lower(),
            digest=self._choice(table, "digest", _DIGESTS, "[signature] "),
            encoding=self._choice(table, "encoding", _ENCODINGS, "[signature] "),
            prefix=self._text(table, "prefix", "[signature] ") if "prefix" in table else "",
        )

    def _answers(self, table: Table[str, object]) -> dict[str, int]:
        allowed = {"refused": _REFUSED, "unavailable": _UNAVAILABLE}
        self._refuse_unknown(table, tuple(allowed), "[answers] ")
        found: dict[str, int] = {}
        for name, status in table.items():
            if not isinstance(status, int) or isinstance(status, bool) or status not in allowed[name]:
                raise self._error(f"[answers] {name}", f"is {status!r}", "refused takes 400 to 499, unavailable 429 or 500 to 599.")
            found[name] = status
        return found

    def _table(self, document: Table[str, object], key: str) -> Table[str, object]:
        value = document.get(key)
        if not isinstance(value, dict):
            raise self._error(
                f"[{key}]", "is missing" if value is None else "is no table", f"Write it as [{key}] with one line for each entry."
            )
        return value

    def _text(self, table: Table[str, object], key: str, place: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self._error(f"{place}{key}", "is missing" if value is None else "is no text", f'Write it as {key} = "…"')
        return value

    def _choice(self, table: Table[str, object], key: str, choices: tuple[str, ...], place: str) -> str:
        value = table.get(key, choices[0])
        if not isinstance(value, str) or value not in choices:
            raise self._error(f"{place}{key}", f"is {value!r}", f"Use one of {', '.join(choices)}.")
        return value

    def _word(self, value: object, words: type[_Word], place: str) -> _Word:
        if isinstance(value, str) and value in words.__members__.values():
            return words(value)
        raise self._error(place, f"is {value!r}", f"Use one of {', '.join(words)}.")

    def _refuse_unknown(self, table: Table[str, object], known: tuple[str, ...], place: str) -> None:
        unknown = [key for key in table if key not in known]
        if unknown:
            raise self._error(f"{place}{unknown[0]}", "is not known here", f"Known are {', '.join(known)}.")

    def _error(self, place: str, fault: str, mend: str) -> MappingError:
        return MappingError(f"{self._file}: {place} {fault}. {mend}")
