"""Was a request signed with a secret that both sides hold?

One function per family of signature; each takes every live secret of the source and refuses where there is none.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from service.esp_kit.adapter import SourceTrust, Verification, WebhookRequest
from service.esp_kit.dates import moment_of
from service.esp_kit.proof import NO_SECRET, NO_SIGNATURE, any_equal, as_bytes, refuse_age, verdict

SHORT_WINDOW = timedelta(minutes=5)
_AHEAD = timedelta(hours=1)
_PLACE_OF_KEY = re.compile(rb'"auth"\s*:\s*"([0-9a-fA-F]{32})"')


def verify_hex_of_body(request: WebhookRequest, trust: SourceTrust, *, header: str) -> Verification:
    """HMAC-SHA256 of the body in hex in a header; no time is signed, so only the event's key stops a replay."""
    return _verify_hex(request.body, request.headers.get(header, ""), trust.secrets)


def verify_timestamped_hex(request: WebhookRequest, trust: SourceTrust, now: datetime, *, header: str) -> Verification:
    """HMAC-SHA256 over `time.body` in a header `t=…,v1=…`."""
    if not request.headers.get(header):
        return NO_SIGNATURE
    parts = [part.strip().partition("=") for part in request.headers[header].split(",")]
    signed_at = next((value for name, _, value in parts if name == "t"), "")
    refused = refuse_age(moment_of(signed_at), now, past=SHORT_WINDOW, future=SHORT_WINDOW)
    if refused:
        return refused
    message = as_bytes(signed_at) + b"." + request.body
    return _verify_any_hex(message, [value for name, _, value in parts if name == "v1"], trust.secrets)


def verify_standard_webhook(
    request: WebhookRequest, trust: SourceTrust, now: datetime, *, prefixes: Sequence[str] = ("webhook", "svix")
) -> Verification:
    """Standard Webhooks: HMAC-SHA256 over `id.time.body` in Base64, any of several `v1,` values."""
    prefix = next((prefix for prefix in prefixes if f"{prefix}-signature" in request.headers), None)
    if prefix is None:
        return NO_SIGNATURE
    message_id, signed_at, signatures = (request.headers.get(f"{prefix}-{name}", "") for name in ("id", "timestamp", "signature"))
    refused = refuse_age(moment_of(signed_at), now, past=SHORT_WINDOW, future=SHORT_WINDOW)
    if refused:
        return refused
    keys = [key for secret in trust.secrets if (key := standard_webhook_key(secret))]
    if not keys:
        return NO_SECRET
    message = as_bytes(f"{message_id}.{signed_at}.") + request.body
    expected = [base64.b64encode(_digest(key, message)) for key in keys]
    given = [as_bytes(value.removeprefix("v1,")) for value in signatures.split(" ") if value.startswith("v1,")]
    return verdict(proven=any([any_equal(value, expected) for value in given]))  # a list: every value is compared


def verify_token(
    timestamp: str, token: str, signatures: Sequence[str], trust: SourceTrust, now: datetime, *, past: timedelta
) -> Verification:
    """HMAC-SHA256 over `time` and `token` in hex: the body is not covered, so a token must not be believed twice."""
    if not signatures:
        return NO_SIGNATURE
    refused = refuse_age(moment_of(timestamp), now, past=past, future=_AHEAD)
    return refused or _verify_any_hex(as_bytes(timestamp + token), signatures, trust.secrets)


def verify_url_and_form(
    request: WebhookRequest, trust: SourceTrust, *, url: str, form: Iterable[tuple[str, str]], header: str
) -> Verification:
    """HMAC-SHA1 over the URL and each field's name and value, sorted by name, in Base64."""
    message = as_bytes(url + "".join(name + value for name, value in sorted(form, key=lambda field: field[0])))
    expected = [base64.b64encode(_digest(as_bytes(secret), message, "sha1")) for secret in trust.secrets if secret]
    if not expected:
        return NO_SECRET
    given = request.headers.get(header, "")
    return verdict(proven=any_equal(as_bytes(given), expected)) if given else NO_SIGNATURE


def verify_embedded_md5(request: WebhookRequest, trust: SourceTrust) -> Verification:
    """MD5 of the body with the key in the place of its `auth` value; replaced in the raw text, for written anew it would differ."""
    place = _PLACE_OF_KEY.search(request.body)
    if not place:
        return NO_SIGNATURE
    before, after = request.body[: place.start(1)], request.body[place.end(1) :]
    hashed = [before + as_bytes(secret) + after for secret in trust.secrets if secret]
    if not hashed:
        return NO_SECRET
    expected = [hashlib.md5(text, usedforsecurity=False).hexdigest().encode() for text in hashed]
    return verdict(proven=any_equal(place[1].lower(), expected))


def standard_webhook_key(secret: str) -> bytes | None:
    """The key in a secret, Base64 after `whsec_`; None where it is none."""
    try:
        return base64.b64decode(as_bytes(secret.removeprefix("whsec_")), validate=True) or None
    except binascii.Error:
        return None


def _verify_any_hex(message: bytes, given: Sequence[str], secrets: Iterable[str]) -> Verification:
    """Accepted where one of several signatures is right; how many there are is up to who sends, so the message is hashed but once."""
    expected = [_digest(as_bytes(secret), message).hex().encode() for secret in secrets if secret]
    written = [as_bytes(value.strip().lower()) for value in given if value]
    if not expected:
        return NO_SECRET
    return verdict(proven=any([any_equal(value, expected) for value in written])) if written else NO_SIGNATURE


def _verify_hex(message: bytes, given: str, secrets: Iterable[str]) -> Verification:
    return _verify_any_hex(message, (given,), secrets)


def _digest(key: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.digest(key, message, algorithm)
