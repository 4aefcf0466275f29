"""How does a mapping file become an adapter, for an ESP that Hopp does not know?"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.flat import read_flat
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.mapping_file import FIELDS, Meaning, read_mapping
from service.esp_kit.mapping_file import Mapping as MappingSpec
from service.esp_kit.mapping_signatures import check_of, flaw_finder_of, signer_of, window_hours
from service.esp_kit.reading import NotAnEventError, lines_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, enhanced_code_of, read_reply, smtp_code_of
from service.esp_kit.verify_static import STATIC_SCHEMES
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase

_UNKNOWN = Meaning(kind=EventKind.OTHER)
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})
_WORDS = ("esp_event_type", "esp_class", "esp_subclass")  # looked up in the table of kinds, joined by a slash
_PLAIN_FIELDS = (*_WORDS, "esp_event_id", "remote_host", "remote_ip", "sending_ip", "subject")
_Value = TypeVar("_Value")


def load_mapping(text: str, file: str) -> Adapter:
    """The adapter that a mapping file's text describes; raises MappingError."""
    spec = read_mapping(text, file)
    kinds = {meaning.kind for meaning in spec.kinds.values()}
    return Adapter(
        name=spec.name,
        title=spec.title,
        verify=check_of(spec.signature),
        parse=_Reader(spec).parse,
        capabilities=Capabilities(
            signature="body" if spec.signature else "static",
            batches=spec.format != "form",
            delivered_events=EventKind.DELIVERED in kinds,
            smtp_text="diagnostic" in spec.fields,
            remote_host="remote_host" in spec.fields,
            sending_ip="sending_ip" in spec.fields,
            engagement=bool(kinds & {EventKind.OPENED, EventKind.CLICKED}),
        ),
        signer=signer_of(spec.signature),
        schemes=("signature", *STATIC_SCHEMES) if spec.signature else STATIC_SCHEMES,
        answers=Answers(**spec.answers),
        replay_window_hours=window_hours(spec.signature),
        find_flaw=flaw_finder_of(spec.signature),
        guide=spec.guide or f"Described by {file}: enter the address at the ESP, and the same secret on both sides.",
    )


class _Item(dict[str, object]):
    """An event's object that knows what stands around it."""

    def __init__(self, around: tuple[object, ...], own: Mapping[str, object]) -> None:
        super().__init__(own)
        self.around = around


class _Kinds:
    """The table of kinds, looked up by the event's words for it: its type alone, or with class and subclass after a slash."""

    def __init__(self, meanings: Mapping[str, Meaning]) -> None:
        self._meanings = meanings

    def find(self, words: str) -> Meaning | None:
        """What the most specific entry says."""
        while words:
            if words in self._meanings:
                return self._meanings[words]
            words = words.rpartition("/")[0]
        return None

    def __contains__(self, words: object) -> bool:
        return isinstance(words, str) and self.find(words) is not None


class _Reader:
    """Reads the bodies of one mapped ESP."""

    def __init__(self, spec: MappingSpec) -> None:
        self._spec = spec
        self._kinds = _Kinds(spec.kinds)

    def parse(self, delivery: Delivery) -> Parsed:
        """All events of a delivery; raises UnreadableError."""
        return read_items(self._items(delivery), self._read, known=self._kinds, name=_words_of)

    def _items(self, delivery: Delivery) -> Iterable[object]:
        if self._spec.format == "lines":
            return lines_in(delivery.body)
        if self._spec.format == "form":
            return [read_flat(delivery.body, delivery.content_type)]
        if self._spec.events is None:
            return jsontext.load_items(delivery.body)
        return _elements(self._spec.events.elements(jsontext.load(delivery.body)))

    def _read(self, item: Mapping[str, object]) -> Iterator[Event]:
        around = item.around if isinstance(item, _Item) else (item,)
        event = self._event(around)
        people = (address_of(value) for value in _flat(self._values(around, "recipient")))
        for recipient in dict.fromkeys(address for address in people if address) or (None,):
            yield replace(event, recipient=recipient)

    def _event(self, around: tuple[object, ...]) -> Event:
        told: dict[str, Any] = {name: self._text(around, name) for name in _PLAIN_FIELDS}
        words = "/".join(word for name in _WORDS if (word := told[name]))
        if told["esp_event_type"] is None:
            raise NotAnEventError("the event has no word for its kind where [fields] esp_event_type points")
        meaning = self._kinds.find(words) or _UNKNOWN
        occurred_at = self._first(around, "occurred_at", moment_of)
        metadata = self._first(around, "metadata", _metadata_of)
        reply = read_reply(
            self._text(around, "diagnostic", MAX_DIAGNOSTIC),
            code=self._first(around, "smtp_code", smtp_code_of),
            enhanced=self._first(around, "enhanced_status_code", enhanced_code_of),
            stage=self._text(around, "smtp_stage"),
        )
        return Event(
            kind=meaning.kind,
            esp=self._spec.name,
            occurred_at=occurred_at,
            message_id=bare_message_id(self._text(around, "message_id")),
            reported_type=meaning.reported_type,
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            campaign=self._text(around, "campaign") or campaign_in(metadata),
            tags=jsontext.texts({"": _flat(self._values(around, "tags"))}, ""),
            metadata=metadata,
            suppressed_by_esp=meaning.suppressed_by_esp,
            phase=meaning.phase or (Phase.LOCAL if meaning.kind in _LOCAL else Phase.UNKNOWN),
            identity=self._identity(around, told["esp_event_id"]),
            **told,
        )

    def _identity(self, around: tuple[object, ...], event_id: str | None) -> tuple[str, ...]:
        """What the file names; else the event's id, else all that the content tells."""
        if self._spec.identity:
            return identity_of(*(jsontext.written_out(list(path.values(around))) for path in self._spec.identity))
        if event_id is not None:
            return identity_of("id", event_id)
        return identity_of(*(jsontext.written_out(list(self._values(around, name))) for name in FIELDS if name != "recipient"))

    def _values(self, around: tuple[object, ...], name: str) -> Iterator[object]:
        for path in self._spec.fields.get(name, ()):
            found = False
            for value in path.values(around):
                found = True
                yield value
            if found:
                return

    def _first(self, around: tuple[object, ...], name: str, read: Callable[[object], _Value | None]) -> _Value | None:
        paths = self._spec.fields.get(name, ())
        return next((found for path in paths for value in path.values(around) if (found := read(value)) is not None), None)

    def _text(self, around: tuple[object, ...], name: str, limit: int = jsontext.MAX_TEXT) -> str | None:
        return self._first(around, name, lambda value: jsontext.text({"": value}, "", limit))


def _elements(found: Iterable[tuple[object, ...]]) -> Iterator[object]:
    """Each event's object; what is none is left for the reader to refuse."""
    for around in found:
        own = around[-1]
        yield _Item(around, own) if isinstance(own, dict) else own


def _words_of(event: Event) -> str:
    return "/".join(word for name in _WORDS if (word := getattr(event, name)))


def _metadata_of(value: object) -> dict[str, str] | None:
    return jsontext.text_map(value) if isinstance(value, dict) else None


def _flat(values: Iterable[object]) -> list[object]:
    """The tags, whether a path means a list of them or each of them."""
    return [tag for value in values for tag in (value if isinstance(value, list) else [value])]
