"""How is an SNS subscription confirmed? By calling the address that SNS sent."""

from service.outbound.fetch import Fetcher
from service.outbound.sns import check_confirmation_url

_LIMIT_BYTES = 100_000


def confirm(url: str, fetcher: Fetcher | None = None) -> None:
    """Call it once; raises RemoteUnavailableError. Confirming twice changes nothing at SNS, so this may be called again."""
    check_confirmation_url(url)
    (fetcher or Fetcher()).get(url, limit_bytes=_LIMIT_BYTES)
