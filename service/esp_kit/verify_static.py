"""Does a request carry a secret that the source was configured with, in basic auth, in a header or in the address?

`checked` wraps an ESP's own signature check, so that every adapter obeys the source's `auth` in the same way.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import datetime
from urllib.parse import parse_qsl

from service.esp_kit.adapter import Accepted, Refused, SourceTrust, Verification, WebhookRequest
from service.esp_kit.proof import NO_SECRET, any_equal, as_bytes, header_bytes

Check = Callable[[WebhookRequest, SourceTrust, datetime], Verification]

STATIC_SCHEMES = ("basic", "header", "token")
CHALLENGE = 'Basic realm="webhooks", charset="UTF-8"'
_MAX_QUERY_FIELDS = 100
_NO_SCHEME = Refused('this ESP does not sign: the source needs auth = "basic", "header:NAME" or "token"')


def checked(signature: Check | None = None, *, query_name: str = "token") -> Check:
    """A `verify` for an adapter: the ESP's own signature, or the static secret that the source's `auth` names instead."""

    def verify(request: WebhookRequest, trust: SourceTrust, now: datetime) -> Verification:
        if trust.auth is not None:
            return verify_static(request, trust, query_name=query_name)
        return signature(request, trust, now) if signature else _NO_SCHEME

    return verify


def verify_static(request: WebhookRequest, trust: SourceTrust, *, query_name: str = "token") -> Verification:
    """Does the request carry what the source's `auth` asks for?"""
    scheme, _, header = (trust.auth or "").partition(":")
    if scheme == "none":  # written out in the settings, which refuse it unless the server listens on loopback
        return Accepted()
    secrets = [as_bytes(secret) for secret in trust.secrets if secret]
    if not secrets:
        return NO_SECRET
    if scheme == "basic":
        proven = any_equal(_credentials(request), secrets)
        return Accepted() if proven else Refused("the user or password is wrong or missing", challenge=CHALLENGE)
    given = _given(request, scheme, header, query_name)
    if not given:
        return Refused(f"the request carries no secret as {trust.auth!r} demands")
    return Accepted() if any([any_equal(value, secrets) for value in given]) else Refused("the secret is wrong")


def verify_in_body(given: str | None, secrets: Iterable[str]) -> Verification:
    """Is a secret that the ESP writes into the body one of the source's?"""
    expected = [as_bytes(secret) for secret in secrets if secret]
    if not expected:
        return NO_SECRET
    return Accepted() if any_equal(as_bytes(given or ""), expected) else Refused("the secret in the body is wrong or missing")


def _given(request: WebhookRequest, scheme: str, header: str, query_name: str) -> list[bytes]:
    if scheme == "header":
        value = request.headers.get(header.strip().lower(), "")
        bearer = value[len("bearer ") :] if value.lower().startswith("bearer ") else ""
        return [header_bytes(written) for written in (value, bearer) if written]
    if scheme == "token":
        return [as_bytes(value) for name, value in _query(request.query) if name == query_name and value]
    return []


def _query(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:  # more fields than any ESP sends
        return []


def _credentials(request: WebhookRequest) -> bytes:
    scheme, _, encoded = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(as_bytes(encoded.strip()), validate=True)
    except binascii.Error:
        return b""
