"""Does an event fit its row? Texts longer than their column are cut here, once, so that no database refuses an event for them."""

from dataclasses import replace

from service.model.events import Event
from service.store.tables import event_text_limits

_LIMITS = tuple(event_text_limits().items())


def fitted(event: Event) -> Event:
    """The event, with whatever is too long cut to its column."""
    cut = {}
    for name, limit in _LIMITS:
        value = getattr(event, name)
        if value is not None and len(value) > limit:
            cut[name] = value[:limit]
    return replace(event, **cut) if cut else event
