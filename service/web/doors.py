"""What of a configured source stays the same for all its posts, and what of a post must not be kept?"""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from service.bootstrap import Hopp
from service.esp_kit.adapter import Adapter, SourceTrust
from service.settings import SourceSettings
from service.telemetry.metrics import WebMetrics

_NEVER_KEPT = frozenset(
    {
        "authorization",
        "cookie",
        "forwarded",
        "proxy-authorization",
        "proxy-connection",
        "via",
        "x-client-ip",
        "x-real-ip",
    }
)
_NEVER_KEPT_PREFIX = "x-forwarded-"
_TOKEN_FIELD = "token"  # noqa: S105 - the name of a field, not a secret
_REMOVED = b"secret-removed"
_SHORTEST_SECRET = 4  # a shorter one would take ordinary values for itself
_SHORTEST_PART = 8  # likewise, in the middle of a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One source, ready to receive."""

    source: SourceSettings
    adapter: Adapter
    trust: SourceTrust
    url: str
    hidden_headers: frozenset[str]
    hidden_values: frozenset[str]
    hidden_parts: tuple[str, ...]  # the long ones of them, also as they are written in an address
    accepted: Any  # children of the metrics, looked up once: a look-up for each post costs more than the count
    accepted_bytes: Any

    def asked_url(self, query: str) -> str:
        """The URL as the ESP knows it: some schemes sign it."""
        return f"{self.url}?{query}" if query and "?" not in self.url else self.url

    def kept_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers without credentials and without what proxies add."""
        return {
            name: value
            for name, value in headers.items()
            if name not in self.hidden_headers and not name.startswith(_NEVER_KEPT_PREFIX) and not self._holds_secret(value)
        }

    def kept_query(self, query: str) -> str:
        """The query without the token, as it was written otherwise."""
        return "&".join(part for part in query.split("&") if part and not self._is_secret(part)) if query else ""

    def kept_body(self, body: bytes) -> bytes:
        """The body; without the secret where the ESP writes it there, as it stands, in a form or in JSON."""
        if self.adapter.secret_in_body:
            for secret in self.hidden_values:
                for written in {secret, quote_plus(secret), dumps(secret)[1:-1]}:
                    body = body.replace(written.encode(), _REMOVED)
        return body

    def _holds_secret(self, value: str) -> bool:
        """As a whole or in the middle, as in the address that a proxy repeats in a header of its own."""
        return value in self.hidden_values or any(part in value for part in self.hidden_parts)

    def _is_secret(self, part: str) -> bool:
        """A field whose name says so, or with the secret as its value, or the bare secret, which may hold a sign of equality."""
        name, _, value = part.partition("=")
        return unquote_plus(name).lower() == _TOKEN_FIELD or not self.hidden_values.isdisjoint({unquote_plus(value), unquote_plus(part)})


def open_doors(hopp: Hopp, metrics: WebMetrics) -> dict[str, Door]:
    """A door for every configured source, by its name."""
    return {source.name: _door(source, hopp, metrics) for source in hopp.settings.sources}


def _door(source: SourceSettings, hopp: Hopp, metrics: WebMetrics) -> Door:
    scheme, _, header = (source.auth or "").partition(":")
    hidden = {header.strip().lower()} if scheme == "header" else set()
    secrets = frozenset(secret for secret in source.secrets if len(secret) >= _SHORTEST_SECRET)
    return Door(
        source=source,
        adapter=hopp.adapters[source.esp],
        trust=SourceTrust(
            secrets=source.secrets,
            auth=source.auth,
            options=source.options,
            certificates=hopp.certificates.at_hand,
        ),
        url=_without_credentials(hopp.settings.webhook_url(source)),
        hidden_headers=_NEVER_KEPT | hidden,
        hidden_values=secrets,
        hidden_parts=tuple(sorted({part for secret in secrets if len(secret) >= _SHORTEST_PART for part in (secret, quote_plus(secret))})),
        accepted=metrics.webhooks.labels(source.name, "accepted"),
        accepted_bytes=metrics.webhook_bytes.labels(source.name),
    )


def _without_credentials(url: str) -> str:
    """A URL as a sender signs it: user and password are sent apart."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator and "@" in rest.partition("/")[0] else url
