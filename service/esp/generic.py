"""Generic: our own JSON for whatever has no adapter, signed by Standard Webhooks, and the lines that `import` reads.

The keys are those that `parse` prints: an object, an array of objects, or JSON Lines. Being our own it is read strictly: a key or value
that it does not know is refused with its name.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities, SourceTrust, Verification, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.flaws import STANDARD_WEBHOOK_FLAW
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject
from service.esp_kit.printing import KEYS
from service.esp_kit.reading import NotAnEventError, lines_in, problem_with, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, enhanced_code_of, read_reply, smtp_code_of
from service.esp_kit.sign import STANDARD_WEBHOOK
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_standard_webhook
from service.esp_kit.verify_static import checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed, Problem
from service.model.words import EventKind, Phase, ReportedType, SmtpStage

IMPORT_KEYS = ("source", "received_at", "event_key")  # what an export adds; whoever imports reads them, an event does not hold them
_ALLOWED = frozenset({*KEYS, *IMPORT_KEYS})
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_Value = TypeVar("_Value")
_Word = TypeVar("_Word", bound=StrEnum)


def event_of_line(line: object) -> Event | Problem:
    """One line of an import, already read from JSON, as its event, or why it is none."""
    if not isinstance(line, dict):
        return problem_with(line, NotAnEventError("an event has to be a JSON object"))
    try:
        return _event_of(line)
    except NotAnEventError as error:
        return problem_with(line, error)


def _verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
    return verify_standard_webhook(request, trust, now)


def _parse(delivery: Delivery) -> Parsed:
    return read_items(_items(delivery), _read, known=())


def _items(delivery: Delivery) -> list[Any]:
    if delivery.content_type.lower().startswith(_LINES):
        return lines_in(delivery.body)
    try:
        return jsontext.load_items(delivery.body)
    except UnreadableError:
        lines = lines_in(delivery.body)
        if len(lines) == 1:
            raise
        jsontext.load_object(lines[0])  # JSON Lines under another name begin with an object
        return lines


def _read(item: JsonObject) -> Iterator[Event]:
    yield _event_of(item)


def _event_of(item: JsonObject) -> Event:
    unknown = sorted(key for key in item if key not in _ALLOWED)
    if unknown:
        raise NotAnEventError(f"unknown key {unknown[0][:80]!r}; allowed are {', '.join(KEYS)}")
    if item.get("kind") is None:
        raise NotAnEventError(f"the event has no 'kind'; allowed are {', '.join(EventKind)}")
    fields: dict[str, Any] = {key: read(key, item[key]) for key, read in _FIELDS.items() if item.get(key) is not None}
    reply = read_reply(fields.get("diagnostic"), code=fields.get("smtp_code"), enhanced=fields.get("enhanced_status_code"))
    fields |= {"smtp_code": reply.smtp_code, "enhanced_status_code": reply.enhanced_status_code}
    fields.setdefault("smtp_stage", reply.smtp_stage)
    fields["esp"] = fields.get("esp") or "generic"  # as good as absent where it is empty
    return Event(**fields, identity=_identity(fields))


def _identity(fields: dict[str, Any]) -> tuple[str, ...]:
    if "esp_event_id" in fields:
        return identity_of("id", fields["esp"], fields["esp_event_id"])
    told = ("esp", "message_id", "occurred_at", "esp_event_type", "esp_class", "esp_subclass", "smtp_code", "diagnostic")
    return identity_of(*(fields.get(key) for key in told))


def _word(words: type[_Word]) -> Callable[[str, object], _Word]:
    def read(key: str, value: object) -> _Word:
        if isinstance(value, str) and value in words.__members__.values():
            return words(value)
        raise NotAnEventError(f"{key} is {_shown(value)}; allowed are {', '.join(words)}")

    return read


def _via(read: Callable[[object], _Value | None], wanted: str) -> Callable[[str, object], _Value]:
    def checked_read(key: str, value: object) -> _Value:
        found = read(value)
        if found is None:
            raise NotAnEventError(f"{key} is {_shown(value)}, not {wanted}")
        return found

    return checked_read


def _text(limit: int = jsontext.MAX_TEXT) -> Callable[[str, object], str | None]:
    def read(key: str, value: object) -> str | None:
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)[:limit] or None
        raise NotAnEventError(f"{key} is {_shown(value)}, not text")

    return read


def _message_id(key: str, value: object) -> str | None:
    return bare_message_id(_text()(key, value))


def _tags(key: str, value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return jsontext.texts({key: value}, key)
    raise NotAnEventError(f"{key} is {_shown(value)}, not a list of texts")


def _metadata(key: str, value: object) -> dict[str, str] | None:
    if isinstance(value, dict):
        return jsontext.text_map(value)
    raise NotAnEventError(f"{key} is {_shown(value)}, not an object")


def _flag(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise NotAnEventError(f"{key} is {_shown(value)}, not true or false")


def _shown(value: object) -> str:
    return (jsontext.written_out(value) or "unreadable")[:80]


_FIELDS: dict[str, Callable[[str, object], Any]] = {
    "kind": _word(EventKind),
    "esp": _text(),
    "recipient": _via(address_of, "an e-mail address"),
    "occurred_at": _via(moment_of, "a time between 2000 and 2099"),
    "message_id": _message_id,
    "esp_event_id": _text(),
    "esp_event_type": _text(),
    "reported_type": _word(ReportedType),
    "esp_class": _text(),
    "esp_subclass": _text(),
    "smtp_code": _via(smtp_code_of, "a reply code from 200 to 599"),
    "enhanced_status_code": _via(enhanced_code_of, "an enhanced code such as 5.1.1"),
    "diagnostic": _text(MAX_DIAGNOSTIC),
    "smtp_stage": _word(SmtpStage),
    "remote_host": _text(),
    "remote_ip": _text(),
    "sending_ip": _text(),
    "campaign": _text(),
    "tags": _tags,
    "metadata": _metadata,
    "subject": _text(),
    "suppressed_by_esp": _flag,
    "phase": _word(Phase),
}

ADAPTER = Adapter(
    name="generic",
    title="Generic JSON",
    verify=checked(_verify),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=STANDARD_WEBHOOK,
    schemes=("signature", "basic", "header", "token"),
    replay_window_hours=SHORT_WINDOW.total_seconds() / 3_600,
    find_flaw=STANDARD_WEBHOOK_FLAW,
    guide=(
        "Post the keys that `parse` prints, as an object, an array of objects or JSON Lines, signed by Standard Webhooks (webhook-id, "
        "webhook-timestamp, webhook-signature) with a `whsec_` secret."
    ),
)
