"""Is the NATS cluster behind the inbox as it should be?"""

from collections.abc import Iterator

from service.cli.findings import Finding, fail, ok, warn
from service.inbox.port import Replicated, Standing
from service.model.errors import InboxUnavailableError
from service.settings import Settings

_OLDEST = (2, 10)  # the first that can be told to sync each message
_ENOUGH_PAYLOAD = 8_000_000  # what its makers advise at most; packed, the largest posts of ESPs are far smaller


def examine_cluster(inbox: Replicated, settings: Settings) -> Iterator[Finding]:
    """Its version, its replicas, and what it takes."""
    try:
        standing = inbox.standing()
    except InboxUnavailableError as error:
        yield fail("inbox", str(error), "Start its servers; where the inbox was never made: python -m service migrate")
        return
    yield _replicas(inbox.described, standing, settings.inbox_replicas)
    if _version(standing.version) < _OLDEST:
        yield fail(
            "nats",
            f"version {standing.version} cannot sync each message",
            "Use 2.10 or later with sync_interval: always (docs/jetstream.md).",
        )
    if standing.max_payload < min(settings.body_limit_bytes, _ENOUGH_PAYLOAD):
        found = f"a body that packs to more than {standing.max_payload} bytes is refused as too large"
        yield warn("nats", found, "Set max_payload: 8MB at its servers, or a smaller HOPP_BODY_LIMIT_BYTES.")


def _replicas(described: str, standing: Standing, wanted: int) -> Finding:
    found = f"{described}, NATS {standing.version}, {standing.in_step} of {standing.replicas} replicas in step"
    if standing.in_step < standing.replicas:
        return warn("inbox", found, "See which server is down or behind: while another fails, nothing can be accepted.")
    if standing.replicas < wanted:
        return warn("inbox", f"{found}, {wanted} are wanted", "python -m service migrate")
    if standing.replicas == 1:
        return warn(
            "inbox", f"{found}: with that server goes what waits", "Name three servers in HOPP_INBOX, then: python -m service migrate"
        )
    return ok("inbox", f"{found}; whether each message is synced stands in the configuration of its servers alone")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdigit())
