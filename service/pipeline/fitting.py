"""Does an event fit its row? Texts longer than their column are cut here, once, so that no database refuses an event for them."""

from dataclasses import replace
from types import SimpleNamespace

from service.model.events import Event
from service.store.tables import event_text_limits

_LIMITS = event_text_limits()
_MOST = SimpleNamespace(**_LIMITS)


def fitted(event: Event) -> Event:
    """The event, with whatever is too long cut to its column; the names are spelt out because a loop over them costs three times that."""
    if (
        len(event.message_id or "") > _MOST.message_id
        or len(event.esp) > _MOST.esp
        or len(event.esp_event_id or "") > _MOST.esp_event_id
        or len(event.esp_event_type or "") > _MOST.esp_event_type
        or len(event.esp_class or "") > _MOST.esp_class
        or len(event.esp_subclass or "") > _MOST.esp_subclass
        or len(event.remote_host or "") > _MOST.remote_host
        or len(event.remote_ip or "") > _MOST.remote_ip
        or len(event.sending_ip or "") > _MOST.sending_ip
        or len(event.campaign or "") > _MOST.campaign
        or len(event.enhanced_status_code or "") > _MOST.enhanced_status_code
    ):
        return _cut(event)
    return event


def _cut(event: Event) -> Event:
    texts = {name: getattr(event, name) for name in _LIMITS}
    return replace(event, **{name: text[: _LIMITS[name]] for name, text in texts.items() if text is not None})
