"""How does a test post what an ESP would post, with a true signature, over HTTP?"""

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import urllib3

from service.esp import adapters
from service.esp_kit.adapter import SigningKeys, WebhookRequest


@dataclass(frozen=True, slots=True)
class Sender:
    """One ESP that posts to one source."""

    esp: str
    source: str
    keys: SigningKeys

    @property
    def config(self) -> str:
        """The source's part of hopp.toml."""
        auth = f'auth = "{self.keys.trust.auth}"\n' if self.keys.trust.auth else ""
        secrets = orjson.dumps(list(self.keys.trust.secrets)).decode()
        return f'[[source]]\nname = "{self.source}"\nesp = "{self.esp}"\nsecrets = {secrets}\n{auth}\n'

    def post(self, url: str, body: bytes, *, content_type: str = "application/json", headers: dict[str, str] | None = None) -> int:
        """Post one signed body; returns the status, 0 where the connection broke."""
        try:
            return self.answer_to(url, body, content_type=content_type, headers=headers).status
        except urllib3.exceptions.HTTPError:
            return 0

    def answer_to(
        self, url: str, body: bytes, *, content_type: str = "application/json", headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Post one signed body; returns the whole answer."""
        signed = self.signed(url, body, content_type=content_type, headers=headers)
        target = signed.url + (f"?{signed.query}" if signed.query else "")
        return urllib3.request("POST", target, body=signed.body, headers=signed.headers, retries=False, timeout=30)

    def signed(
        self, url: str, body: bytes, *, content_type: str = "application/json", headers: dict[str, str] | None = None
    ) -> WebhookRequest:
        """The request as this ESP sends it."""
        asked = WebhookRequest(
            method="POST",
            url=f"{url}/webhooks/{self.source}",
            headers={"content-type": content_type} | (headers or {}),
            query="",
            body=body,
        )
        return adapters()[self.esp].signer.sign(asked, self.keys, datetime.now(UTC))


def sender(esp: str, number: int = 1) -> Sender:
    """A sender with keys of its own."""
    keys = adapters()[esp].signer.make_keys(bytes([number]) * 32)
    return Sender(esp, f"test-{esp}", keys)
