"""What signs a sample so that a source believes it, and what would a source have to hold?"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from service.bootstrap import Hopp
from service.cli.first_start import DEMO_PREFIX
from service.cli.samples.keys import load_keys
from service.cli.samples.load import Sample
from service.esp_kit import sns
from service.esp_kit.adapter import Adapter, Refused, SigningKeys, SourceTrust, WebhookRequest
from service.esp_kit.jsontext import text
from service.esp_kit.sign import BASIC, sign_static
from service.model.errors import HoppError
from service.settings import SourceSettings

SAMPLE_PREFIX = "sample-"
_CHANCE_BYTES = 32


class SampleError(HoppError):
    """A sample cannot be sent; the text says what is in its way and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSigner:
    """What stands in for an ESP at one source."""

    adapter: Adapter
    name: str  # of the source, or of the one that is still to be configured
    url: str  # as the ESP knows it: some schemes sign it
    keys: SigningKeys  # its trust is the source's own, where there is one
    wanted: str  # what hopp.toml has to hold for these keys to be believed

    def signed(self, sample: Sample, now: datetime) -> WebhookRequest:
        """The sample as its ESP would post it at this moment; raises SampleError where the source could never believe it."""
        reasons = []
        for body in _bodies(sample):
            signed = self._sign(WebhookRequest(method="POST", url=self.url, headers=sample.headers, query="", body=body), now)
            verification = self.adapter.verify(signed, self.keys.trust, now)
            if not isinstance(verification, Refused):
                return signed
            reasons.append(verification.reason)
        raise SampleError(_refusal(f"source {self.name} would refuse {sample.case}: {reasons[0]}.", self.wanted))

    def _sign(self, request: WebhookRequest, now: datetime) -> WebhookRequest:
        if self.keys.trust.auth is not None:
            return sign_static(request, self.keys.trust.auth, self.keys.private)
        return self.adapter.signer.sign(request, self.keys, now)


def choose_source(hopp: Hopp, esp: str, name: str | None) -> SourceSettings | None:
    """The source that is named, or else the ESP's test source, or its demo source, or its only one; raises SampleError."""
    known = [source for source in hopp.settings.sources if source.esp == esp]
    if name is not None:
        chosen = [source for source in known if source.name == name]
        if not chosen:
            message = f"hopp.toml has no source {name!r} of {esp}; it has {', '.join(source.name for source in known) or 'none'}"
            raise SampleError(message)
        return chosen[0]
    chosen = [source for source in known if source.is_test] or [source for source in known if is_demo(source)] or known
    if len(chosen) > 1:
        message = f"several sources take {esp}'s posts: name one of {', '.join(source.name for source in chosen)} by --source"
        raise SampleError(message)
    return chosen[0] if chosen else None


def is_demo(source: SourceSettings) -> bool:
    """True for a source of the first start, which only ever holds made-up mail."""
    return source.name == f"{DEMO_PREFIX}{source.esp}"


def signer_for(hopp: Hopp, adapter: Adapter, source: SourceSettings | None) -> SampleSigner:
    """What signs for this source; without one, what signs for the source that `wanted` describes."""
    beside = hopp.settings.config_path.parent if hopp.settings.config_path else Path()
    name = source.name if source else f"{SAMPLE_PREFIX}{adapter.name}"
    chance = secrets.token_bytes(_CHANCE_BYTES)
    keys = adapter.signer.make_keys(chance)
    is_certified = bool(keys.trust.certificates)  # a server fetches them from the ESP's own host, where ours is not
    keys = BASIC.make_keys(chance) if is_certified else keys
    is_shared = keys.private in keys.trust.secrets
    if not is_shared and (source is None or source.auth is None):
        keys = load_keys(beside, adapter.name, keys, source.secrets if source else ())
    wanted = _wanted(keys, adapter.name)
    if source is not None:
        if is_certified and source.auth is None:
            raise SampleError(_refusal(f"nobody but {adapter.title} can sign for source {source.name}.", wanted))
        private = _secret_of(source) if is_shared or source.auth is not None else keys.private
        keys = SigningKeys(private=private, trust=SourceTrust(secrets=source.secrets, auth=source.auth, options=source.options))
    url = hopp.settings.webhook_url(source) if source else f"{hopp.settings.public_url}/webhooks/{name}"
    return SampleSigner(adapter=adapter, name=name, url=url, keys=keys, wanted=wanted)


def _refusal(why: str, wanted: str) -> str:
    return f"{why} Nothing was posted. Add a source for samples to hopp.toml, start Hopp again, then repeat:\n\n{wanted}\n"


def _secret_of(source: SourceSettings) -> str:
    if not source.secrets and source.auth != "none":
        message = f"source {source.name} has no secret, so it refuses everything. Give it `secrets` in hopp.toml."
        raise SampleError(message)
    return source.secrets[0] if source.secrets else ""


def _wanted(keys: SigningKeys, esp: str) -> str:
    """The entry of a source that would believe these keys."""
    lines = [f'auth = "{keys.trust.auth}"'] if keys.trust.auth is not None else []
    lines.append(f"secrets = {json.dumps(list(keys.trust.secrets))}")
    return "\n".join(["[[source]]", f'name = "{SAMPLE_PREFIX}{esp}"', f'esp = "{esp}"', *lines, "test = true   # counted in no rate"])


def _bodies(sample: Sample) -> Iterator[bytes]:
    """The body, then what an SNS envelope holds: a source with a secret of its own gets that."""
    yield sample.body
    envelope = sns.envelope_in(sample.body)
    message = text(envelope, "Message", len(sample.body)) if envelope is not None else None
    if message is not None:
        yield message.encode()
