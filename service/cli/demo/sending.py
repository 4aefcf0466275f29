"""How does a post of the demo reach the service: signed as its ESP signs, with the keys of the demo sources?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from service.cli.demo.story import Post
from service.cli.first_start import DEMO_KEY_FILE, DEMO_PREFIX
from service.esp_kit.adapter import Adapter, Signer, SigningKeys, SourceTrust, WebhookRequest
from service.esp_kit.sign import BASIC
from service.model.errors import HoppError
from service.outbound.service_client import ServiceClient
from service.settings import Settings, SourceSettings

ESPS = ("sendgrid", "ses", "postmark", "mailgun")
_NOT_FOUND = 404


class DemoError(HoppError):
    """The demo cannot be told; the text says what is in its way and what to do."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What stands in for one ESP."""

    source: SourceSettings
    signer: Signer
    keys: SigningKeys

    def signed(self, post: Post, *, base_url: str, now: datetime) -> WebhookRequest:
        """The request as the ESP would post it at this moment."""
        request = WebhookRequest(
            method="POST",
            url=f"{base_url}/webhooks/{self.source.name}",
            headers={"content-type": "application/json"},
            query="",
            body=post.body,
        )
        signed = self.signer.sign(request, self.keys, now)
        return replace(signed, body=signed.body.replace(b"550", b"551", 1)) if post.is_tampered else signed


def load_senders(settings: Settings, adapters: Mapping[str, Adapter]) -> dict[str, Sender]:
    """What signs for each ESP, from the demo sources that the first start wrote; raises DemoError where one is missing."""
    sources = {esp: settings.find_source(f"{DEMO_PREFIX}{esp}") for esp in ESPS}
    missing = [f"{DEMO_PREFIX}{esp}" for esp, source in sources.items() if source is None or source.is_test or not source.secrets]
    if missing:
        place = settings.config_path or "no hopp.toml in this folder"
        message = (
            f"The demo posts to sources of its own, and {', '.join(missing)} cannot be used ({place}). Run it in the folder of a "
            "service that has them: a first start in an empty folder (make run) writes a hopp.toml with all four."
        )
        raise DemoError(message)
    folder = settings.config_path.parent if settings.config_path else Path()
    return {esp: _sender(source, adapters[esp], folder) for esp, source in sources.items() if source is not None}


def _sender(source: SourceSettings, adapter: Adapter, folder: Path) -> Sender:
    trust = SourceTrust(secrets=source.secrets, auth=source.auth, options=source.options)
    if source.auth == "basic":
        return Sender(source, BASIC, SigningKeys(private=source.secrets[0], trust=trust))
    private = _private_key(folder / DEMO_KEY_FILE) if source.esp == "sendgrid" else source.secrets[0]
    return Sender(source, adapter.signer, SigningKeys(private=private, trust=trust))


def _private_key(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: the key that demo-sendgrid signs with cannot be read. Remove hopp.toml and start again: both are made anew."
        raise DemoError(message) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """Posts to one running service."""

    client: ServiceClient
    senders: Mapping[str, Sender]
    now: Callable[[], datetime]

    def post(self, post: Post) -> int:
        """Post it and return the status; raises DemoError where it is not the one that this post has to get."""
        sender = self.senders[post.esp]
        request = sender.signed(post, base_url=self.client.base_url, now=self.now())
        answer = self.client.post(f"/webhooks/{sender.source.name}", body=request.body, headers=request.headers)
        if answer.is_success is post.is_tampered:
            raise DemoError(_surprise(sender.source.name, answer.status, is_tampered=post.is_tampered))
        return answer.status


def _surprise(source: str, status: int, *, is_tampered: bool) -> str:
    if is_tampered:
        return f"{source} answered {status} to a body that was changed after it was signed. It must refuse it: look at its `auth`."
    if status == _NOT_FOUND:
        return f"The running service knows no source {source}. Does it run in this folder? If hopp.toml changed since, start it again."
    return f"{source} answered {status} instead of 2xx. If its secrets in hopp.toml changed since the service started, start it again."
