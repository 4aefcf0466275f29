"""How are samples signed with a shared secret, the way the ESPs sign? The other side of verify_hmac and verify_static."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote_plus

from service.esp_kit.adapter import Signer, SigningKeys, SourceTrust, WebhookRequest
from service.esp_kit.proof import as_bytes
from service.esp_kit.verify_hmac import standard_webhook_key


def with_headers(request: WebhookRequest, **headers: str) -> WebhookRequest:
    """The request with more headers; an underscore in a name stands for its hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(request, headers={**request.headers, **named})


def seconds_of(now: datetime) -> str:
    """The moment as whole seconds since 1970, in digits."""
    return str(int(now.timestamp()))


def hex_hmac(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hex, the secret used as text."""
    return hmac.digest(as_bytes(secret), message, "sha256").hex()


def shared_keys(chance: bytes) -> SigningKeys:
    """A secret that both sides hold."""
    return SigningKeys(private=chance.hex(), trust=SourceTrust(secrets=(chance.hex(),)))


def standard_webhook_keys(chance: bytes) -> SigningKeys:
    """A secret as Standard Webhooks writes it."""
    secret = "whsec_" + base64.b64encode(chance).decode()
    return SigningKeys(private=secret, trust=SourceTrust(secrets=(secret,)))


def basic_keys(chance: bytes) -> SigningKeys:
    """A user and password."""
    secret = f"hopp:{chance.hex()}"
    return SigningKeys(private=secret, trust=SourceTrust(secrets=(secret,), auth="basic"))


def sign_basic(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
    """Basic auth, which covers nothing of the body."""
    return sign_static(request, "basic", keys.private)


def sign_static(request: WebhookRequest, auth: str, secret: str) -> WebhookRequest:
    """The secret where a source's `auth` wants it: in basic auth, in a header or in the address; nowhere with "none"."""
    scheme, _, header = auth.partition(":")
    if scheme == "basic":
        return with_headers(request, authorization="Basic " + base64.b64encode(as_bytes(secret)).decode())
    if scheme == "header":
        return with_headers(request, **{header.strip().lower(): secret})
    if scheme == "token":
        return replace(request, query="&".join(filter(None, (request.query, f"token={quote_plus(secret)}"))))
    return request


def sign_standard_webhook(request: WebhookRequest, keys: SigningKeys, now: datetime, *, prefix: str = "webhook") -> WebhookRequest:
    """Standard Webhooks; the id is a digest of the body, so the same sample is the same message."""
    message_id, signed_at = "msg_" + hashlib.sha256(request.body).hexdigest()[:24], seconds_of(now)
    message = as_bytes(f"{message_id}.{signed_at}.") + request.body
    signature = base64.b64encode(hmac.digest(standard_webhook_key(keys.private) or b"", message, "sha256")).decode()
    named = {f"{prefix}-id": message_id, f"{prefix}-timestamp": signed_at, f"{prefix}-signature": f"v1,{signature}"}
    return with_headers(request, **named)


def hex_of_body_signer(header: str) -> Signer:
    """HMAC-SHA256 of the body in hex in this header."""

    def sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
        return with_headers(request, **{header: hex_hmac(keys.private, request.body)})

    return Signer(make_keys=shared_keys, sign=sign)


def timestamped_hex_signer(header: str) -> Signer:
    """HMAC-SHA256 over `time.body` as `t=…,v1=…` in this header."""

    def sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
        signature = hex_hmac(keys.private, as_bytes(seconds_of(now)) + b"." + request.body)
        return with_headers(request, **{header: f"t={seconds_of(now)},v1={signature}"})

    return Signer(make_keys=shared_keys, sign=sign)


def token_triple(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """A time, a token that no other body gets, and the HMAC-SHA256 over both."""
    signed_at = seconds_of(now)
    token = hashlib.sha256(as_bytes(signed_at) + body).hexdigest()[:50]
    return {"timestamp": signed_at, "token": token, "signature": hex_hmac(secret, as_bytes(signed_at + token))}


BASIC = Signer(make_keys=basic_keys, sign=sign_basic)
STANDARD_WEBHOOK = Signer(make_keys=standard_webhook_keys, sign=sign_standard_webhook)
