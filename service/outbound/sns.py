"""Which addresses of Amazon SNS may be called? Checked again here, whoever asks: an adapter's mistake must not open a door."""

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

from service.model.errors import RemoteUnavailableError

_HOST = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?")
_URL_LENGTH = 2_000


def check_certificate_url(url: str) -> None:
    """Raise RemoteUnavailableError where this is no address of an SNS signing certificate."""
    parts = _checked(url, "certificate")
    if parts.query or not parts.path.endswith(".pem"):
        raise RemoteUnavailableError("This certificate address is not of the form that SNS uses, so it is not called.")


def check_confirmation_url(url: str) -> None:
    """Raise RemoteUnavailableError where this address does not confirm an SNS subscription."""
    parts = _checked(url, "confirmation")
    if parse_qs(parts.query).get("Action") != ["ConfirmSubscription"]:
        raise RemoteUnavailableError("This address does not confirm a subscription, so it is not called.")


def _checked(url: str, what: str) -> SplitResult:
    message = f"This {what} address is not on a host of SNS, so it is not called."
    if len(url) > _URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise RemoteUnavailableError(message)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RemoteUnavailableError(message) from error
    # The whole of it, and not only the host name: no login, no port.
    if parts.scheme != "https" or not _HOST.fullmatch(parts.netloc.lower()) or parts.fragment:
        raise RemoteUnavailableError(message)
    return parts
