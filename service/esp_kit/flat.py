"""Which fields does a body hold, where an ESP posts the same flat record as JSON or as a form?"""

from service.esp_kit import forms, jsontext
from service.esp_kit.jsontext import JsonObject
from service.model.errors import UnreadableError


def read_flat(body: bytes, content_type: str) -> JsonObject:
    """The object that the body is, told by its first character because content types lie; of a repeated form field the first."""
    if body.lstrip()[:1] in {b"{", b"["}:
        return jsontext.load_object(body)
    fields: dict[str, object] = dict(forms.first_values(forms.read_form(body, content_type)))
    if not fields:
        raise UnreadableError("the body holds no field")
    return fields
