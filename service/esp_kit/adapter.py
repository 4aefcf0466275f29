"""What must an ESP module offer, and what does it get to see?

A module in `service/esp/` ends in `ADAPTER = Adapter(...)`; the folder is the registry. Adapters are pure: they read no
clock, network, file or environment, and return what they want done as values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.model.events import Delivery, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """One HTTP request as the web got it, before anything is believed.

    `headers` has lower-case names and still holds credentials. `body` is exactly what was signed.
    """

    method: str
    url: str  # the public URL as configured or as asked, without credentials; some schemes sign it
    headers: Mapping[str, str]
    query: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrust:
    """What a source's configuration lets an adapter believe."""

    secrets: tuple[str, ...]  # any of them verifies; empty refuses everything
    auth: str | None = None  # None = the ESP's own signature; "basic", "header:NAME", "token" or "none"
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # e.g. topic_arns, public_url
    certificates: Mapping[str, bytes] = field(default_factory=dict)  # PEM by URL, fetched after NeedsCertificate


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request proves that it comes from its ESP."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request does not prove where it comes from; the reason is for our log, never for the answer."""

    reason: str
    challenge: str | None = None  # value of WWW-Authenticate where the sender waits for one: then the answer is 401


@dataclass(frozen=True, slots=True)
class NeedsCertificate:
    """Verification has to go on with this certificate, whose address was already checked against the ESP's rules."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """An answer that the ESP expects at once instead of a stored delivery (a validation code, an allowed origin)."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


Verification = Accepted | Refused | NeedsCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The HTTP statuses after which this ESP does not lose an event."""

    accepted: int = 200
    refused: int = 401  # bad signature
    unavailable: int = 503  # we cannot keep it now: the status after which this ESP comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What this ESP's webhooks tell, for `sources --available` and the guide in docs/esp/."""

    signature: str  # "body", "token", "static" or "none"
    batches: bool
    delivered_events: bool  # False: no denominator
    smtp_text: bool
    remote_host: bool
    sending_ip: bool
    engagement: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """Both halves of a source's secret: what a sample is signed with, and what lets a source believe it."""

    private: str = field(repr=False)  # a shared secret, or a private key as PEM
    trust: SourceTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """How a sample is signed as this ESP signs: for `send-sample`, `demo` and the tests of every adapter."""

    make_keys: Callable[[bytes], SigningKeys]  # from 32 random bytes
    sign: Callable[[WebhookRequest, SigningKeys, datetime], WebhookRequest]  # may change the body, where that carries the proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One ESP: how its posts are verified, read and answered."""

    name: str
    title: str
    verify: Callable[[WebhookRequest, SourceTrust, datetime], Verification]  # never raises, whatever was posted
    parse: Callable[[Delivery], Parsed]  # raises UnreadableError and nothing else
    capabilities: Capabilities
    signer: Signer
    answers: Answers = field(default_factory=Answers)
    schemes: tuple[str, ...] = ("signature",)  # values of `auth` that this ESP can be configured with
    methods: tuple[str, ...] = ("POST",)
    handshake: Callable[[WebhookRequest, SourceTrust], Handshake | None] | None = None
    secret_in_body: bool = False  # the secret itself stands in the body: it is taken out before the body is kept
    guide: str = ""  # what to set at the ESP, for people
    replay_window_hours: float | None = None
    find_flaw: Callable[[SourceTrust], str | None] | None = None  # asked at the start: why a source's settings can never verify
