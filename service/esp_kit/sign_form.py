"""How is a sample form signed together with its address? The other side of verify_url_and_form."""

import base64
import hmac
from collections.abc import Iterable

from service.esp_kit.proof import as_bytes


def sign_url_and_form(secret: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """HMAC-SHA1 over the URL and each field's name and value, sorted by name, in Base64."""
    fields = "".join(name + value for name, value in sorted(form, key=lambda field: field[0]))
    return base64.b64encode(hmac.digest(as_bytes(secret), as_bytes(url + fields), "sha1")).decode()
