"""Does an event fit its row? Texts longer than their column are cut here, once, so that no database refuses an event for them."""

from dataclasses import replace
from operator import attrgetter

from service.model.events import Event
from service.store.tables import event_text_limits

_LIMITS = event_text_limits()
_texts_of = attrgetter(*_LIMITS)
_LENGTHS = tuple(_LIMITS.values())


def fitted(event: Event) -> Event:
    """The event, with whatever is too long cut to its column."""
    for text, length in zip(_texts_of(event), _LENGTHS, strict=True):
        if text is not None and len(text) > length:
            return _cut(event)
    return event


def _cut(event: Event) -> Event:
    texts = {name: getattr(event, name) for name in _LIMITS}
    return replace(event, **{name: text[: _LIMITS[name]] for name, text in texts.items() if text is not None})
