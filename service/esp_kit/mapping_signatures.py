"""How does a mapped ESP sign, and how is that checked and done? Both sides of the schemes that a mapping file may name."""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime

from service.esp_kit.adapter import Signer, SigningKeys, SourceTrust, Verification, WebhookRequest
from service.esp_kit.flaws import STANDARD_WEBHOOK_FLAW
from service.esp_kit.mapping_file import SignatureSpec
from service.esp_kit.proof import NO_SECRET, NO_SIGNATURE, any_equal, as_bytes, verdict
from service.esp_kit.sign import BASIC, STANDARD_WEBHOOK, shared_keys, timestamped_hex_signer, with_headers
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_standard_webhook, verify_timestamped_hex
from service.esp_kit.verify_static import Check, checked


def check_of(spec: SignatureSpec | None) -> Check:
    """The `verify` of an adapter that signs like this; without a signature a static secret has to stand in."""
    if spec is None:
        return checked()
    if spec.scheme == "standard_webhooks":
        return checked(verify_standard_webhook)
    if spec.scheme == "timestamped":
        return checked(lambda request, trust, now: verify_timestamped_hex(request, trust, now, header=spec.header))
    return checked(lambda request, trust, now: _verify_hmac(request, trust, spec))


def signer_of(spec: SignatureSpec | None) -> Signer:
    """The other side of it, for samples."""
    if spec is None:
        return BASIC
    if spec.scheme == "standard_webhooks":
        return STANDARD_WEBHOOK
    if spec.scheme == "timestamped":
        return timestamped_hex_signer(spec.header)

    def sign(request: WebhookRequest, keys: SigningKeys, now: datetime) -> WebhookRequest:
        return with_headers(request, **{spec.header: spec.prefix + _signature(keys.private, request.body, spec).decode()})

    return Signer(make_keys=shared_keys, sign=sign)


def flaw_finder_of(spec: SignatureSpec | None) -> Callable[[SourceTrust], str | None] | None:
    """What looks at the source's secrets at the start; None where any text will do."""
    return STANDARD_WEBHOOK_FLAW if spec is not None and spec.scheme == "standard_webhooks" else None


def window_hours(spec: SignatureSpec | None) -> float | None:
    """How old a post may be, where its time is signed."""
    return None if spec is None or spec.scheme == "hmac" else SHORT_WINDOW.total_seconds() / 3_600


def _verify_hmac(request: WebhookRequest, trust: SourceTrust, spec: SignatureSpec) -> Verification:
    given = request.headers.get(spec.header, "").strip()
    if not given:
        return NO_SIGNATURE
    expected = [as_bytes(spec.prefix) + _signature(secret, request.body, spec) for secret in trust.secrets if secret]
    if not expected:
        return NO_SECRET
    return verdict(proven=any_equal(as_bytes(given), expected))


def _signature(secret: str, body: bytes, spec: SignatureSpec) -> bytes:
    digest = hmac.digest(as_bytes(secret), body, spec.digest)
    return digest.hex().encode() if spec.encoding == "hex" else base64.b64encode(digest)
