"""Which settings of a source could never verify anything? Asked at the start: such a source would refuse every post."""

from collections.abc import Callable

from service.esp_kit.adapter import Adapter, SourceTrust
from service.esp_kit.verify_hmac import standard_webhook_key


def checked_secrets(is_usable: Callable[[str], bool], wanted: str) -> Callable[[SourceTrust], str | None]:
    """A `find_flaw` for an adapter whose secrets have a form of their own; `wanted` says what that is and where to get it."""

    def find_flaw(trust: SourceTrust) -> str | None:
        return _flaw_in(trust.secrets, is_usable, wanted) if trust.auth is None else None

    return find_flaw


def flaw_of(adapter: Adapter, trust: SourceTrust) -> str | None:
    """What is wrong with a source's proof, in a sentence with its mend; None where nothing is."""
    scheme, _, header = (trust.auth or "").partition(":")
    if scheme == "header" and not header.strip():
        return 'auth = "header:" names no header. Write the name of the one that holds the secret after the colon.'
    if scheme == "basic":
        flaw = _flaw_in(trust.secrets, lambda secret: ":" in secret, "is no user and password. Write it as USER:PASSWORD.")
        if flaw is not None:
            return flaw
    return adapter.find_flaw(trust) if adapter.find_flaw else None


def _flaw_in(secrets: tuple[str, ...], is_usable: Callable[[str], bool], wanted: str) -> str | None:
    """Which secret it is by its place, because a secret is never printed."""
    unusable = next((place for place, secret in enumerate(secrets, start=1) if not is_usable(secret)), None)
    return None if unusable is None else f"secret {unusable} of {len(secrets)} {wanted}"


STANDARD_WEBHOOK_FLAW = checked_secrets(
    lambda secret: standard_webhook_key(secret) is not None, "is no signing secret. Copy the one that begins with whsec_, whole."
)
