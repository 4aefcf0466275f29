"""Which addresses of a notification service may be called? Checked again here: an adapter's mistake must not open a door.

Amazon SNS names certificates and confirmations in its posts, and Scaleway's clone of it does the same.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

from service.model.errors import RemoteUnavailableError

_URL_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class _Service:
    """The hosts of one service, and the form of its certificates' paths."""

    certificate_host: re.Pattern[str]
    certificate_path: re.Pattern[str]
    confirmation_host: re.Pattern[str]


_AMAZON_HOST = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?")
_SERVICES = (
    _Service(_AMAZON_HOST, re.compile(r"/.*\.pem"), _AMAZON_HOST),
    _Service(
        re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+){0,4}\.(scaleway\.com|scw\.cloud)"),
        re.compile(r"/.*\.(pem|crt)"),
        re.compile(r"sns\.mnq\.[a-z0-9-]{3,40}\.scaleway\.com"),
    ),
)


def check_certificate_url(url: str) -> None:
    """Raise RemoteUnavailableError where this is no address of a signing certificate."""
    parts = _checked(url, "certificate")
    host = parts.netloc.lower()
    service = next((one for one in _SERVICES if one.certificate_host.fullmatch(host)), None)
    if service is None:
        raise RemoteUnavailableError("This certificate address is not on a host of SNS, so it is not called.")
    if parts.query or not service.certificate_path.fullmatch(parts.path):
        raise RemoteUnavailableError("This certificate address is not of the form that SNS uses, so it is not called.")


def check_confirmation_url(url: str) -> None:
    """Raise RemoteUnavailableError where this address does not confirm an SNS subscription."""
    parts = _checked(url, "confirmation")
    if not any(one.confirmation_host.fullmatch(parts.netloc.lower()) for one in _SERVICES):
        raise RemoteUnavailableError("This confirmation address is not on a host of SNS, so it is not called.")
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
    # The host is compared with the whole of the place: no login, no port.
    if parts.scheme != "https" or parts.fragment:
        raise RemoteUnavailableError(message)
    return parts
