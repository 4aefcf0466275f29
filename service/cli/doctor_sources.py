"""How does each configured source do: what came of it, what became of that, and what is to be done next?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from service.alerting.sources import Posts, SourceState, SourceTrouble
from service.bootstrap import Hopp
from service.cli.ages import age_of
from service.cli.findings import Finding, fail, ok, warn
from service.cli.first_start import DEMO_PREFIX
from service.model.errors import RemoteUnavailableError
from service.model.moments import DAY_US, to_us
from service.outbound.service_client import ServiceClient
from service.settings import Settings, SourceSettings
from service.store import soundness
from service.store.database import Database
from service.store.reading.arrivals import Arrivals, load_arrivals
from service.store.reading.health import Health, HealthReader, SourceHealth, WatchedSource
from service.telemetry.redaction import mask

_REFUSED_METRIC = "hopp_webhooks_refused_total"
_REASONS_SHOWN = 2
_REASON_LENGTH = 160
NO_ADDRESS = "not known before HOPP_PUBLIC_URL is set"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database and the running web know of all sources."""

    silence: str = ""  # why the database says nothing; the rest is empty then
    health: Health | None = None  # None also where nobody has made the database yet
    arrivals: Mapping[str, Arrivals]
    refusals: Mapping[str, str]  # why the web refused posts since its start; empty where it does not run

    def heard(self, name: str) -> SourceHealth | None:
        """When an event of the source last came."""
        return next((item for item in self.health.sources if item.name == name), None) if self.health else None

    def watched(self, name: str) -> WatchedSource | None:
        """What fires about it."""
        return next((item for item in self.health.watched if item.name == name), None) if self.health else None

    def arrived(self, name: str) -> Arrivals:
        """What came of it on the last day on which it posted."""
        return self.arrivals.get(name, Arrivals())


def load_known(database: Database, client: ServiceClient, now_us: int) -> Known:
    """Ask both; whichever does not answer is said, and stops nothing."""
    refusals = load_refusals(client)
    if not soundness.is_there(database):
        return Known(arrivals={}, refusals=refusals)
    cause = database.find_silence()
    health = None if cause else HealthReader(database).read(now_us)
    if health is None:
        silence = f"the database does not answer: {mask(cause)}" if cause else "the tables of the database cannot be read"
        return Known(silence=silence, arrivals={}, refusals=refusals)
    with database.read() as connection:
        return Known(health=health, arrivals=load_arrivals(connection), refusals=refusals)


def load_refusals(client: ServiceClient) -> dict[str, str]:
    """Why the running web refused posts, by source: its most frequent reasons, which no table keeps."""
    try:
        families = list(text_string_to_metric_families(client.get("/metrics").body.decode()))
    except (RemoteUnavailableError, ValueError):  # or something else answers there
        return {}
    counted: dict[str, dict[str, float]] = {}
    for sample in (sample for family in families for sample in family.samples if sample.name == _REFUSED_METRIC):
        counted.setdefault(sample.labels["source"], {})[sample.labels["reason"]] = sample.value
    return {name: mask("; ".join(sorted(reasons, key=lambda item: -reasons[item])[:_REASONS_SHOWN])) for name, reasons in counted.items()}


def examine_sources(hopp: Hopp, known: Known, now: datetime) -> Iterator[Finding]:
    """One finding for each source, and one more where no ESP can reach them."""
    if not hopp.settings.sources:
        next_step = "Add a [[source]] to hopp.toml (docs/settings.md), then start again."
        yield warn("sources", "none is configured, so no webhook is taken", next_step)
    if any(address_of(source, hopp.settings) is None for source in hopp.settings.sources):
        found = f"{hopp.settings.public_url} is no address that an ESP can post to"
        yield warn("address", found, "Set HOPP_PUBLIC_URL to the address as ESPs see it, for example https://hooks.example.com")
    for source in hopp.settings.sources:
        finding = finding_of(source, hopp, known, now)
        yield replace(finding, found=f"{_notes(source, hopp)}; {finding.found}")


def address_of(source: SourceSettings, settings: Settings) -> str | None:
    """What to enter at the ESP; None where it would name every address of this machine, and so none."""
    url = settings.webhook_url(source)
    return None if urlsplit(url).hostname in _EVERYWHERE else url


def finding_of(source: SourceSettings, hopp: Hopp, known: Known, now: datetime) -> Finding:
    """What is to be said of one source: the worst of it."""
    what = f"source {source.name}"
    if not source.secrets and not source.options.get("topic_arns") and source.auth != "none":
        return fail(what, "it has no secret, so it refuses everything", "Give it `secrets` (for SNS: `topic_arns`) in hopp.toml.")
    became = _became(what, source, known)
    if became is not None:
        return became
    if source.auth == "none":
        return warn(what, "anybody on this machine may post", "Give it a secret before it listens to others.")
    if source.name.startswith(DEMO_PREFIX) and not hopp.settings.listens_on_loopback:
        return warn(what, "made for the demo", "Delete it: its key lies in hopp.toml.")
    if known.silence:
        return warn(what, f"what came of it is unknown, {known.silence}", "Mend the database, then ask again.")
    return _last(what, source, address_of(source, hopp.settings) or NO_ADDRESS, known=known, now=now)


def _notes(source: SourceSettings, hopp: Hopp) -> str:
    adapter = hopp.adapters[source.esp]
    notes = [source.esp, source.auth or adapter.schemes[0]]
    notes += ["test: counted in no rate"] if source.is_test else []
    notes += [] if adapter.capabilities.delivered_events else ["tells of no delivered mail: people are counted, no rate"]
    return ", ".join(notes)


def _became(what: str, source: SourceSettings, known: Known) -> Finding | None:
    """What became of the posts of its last day, where that is not well."""
    arrived, watched = known.arrived(source.name), known.watched(source.name)
    posts = arrived.posts
    is_refused = watched is not None and SourceTrouble.REFUSED in watched.firing
    if is_refused or (posts.unproven and not posts.accepted):
        found = f"{_refused(posts) or 'most of its posts are refused'}{_why(known, source.name)}"
        return fail(what, found, "Compare its secret, and whether it signs, with what the ESP shows (docs/sources.md).")
    if not arrived.unread:
        return None
    found = f"{arrived.unread} of {posts.accepted} posts of its last day could not be read: {mask(arrived.unread_reason)[:_REASON_LENGTH]}"
    next_step = f"Is `esp` right? Mend it, or start a version that reads them, then: replay --state quarantined --source {source.name}"
    return (fail if arrived.unread * 2 >= posts.accepted else warn)(what, found, next_step)


def _why(known: Known, name: str) -> str:
    reason = known.refusals.get(name)
    return f": {reason}" if reason else " (the web's log says why: webhook_refused)"


def _refused(posts: Posts) -> str:
    return f"{posts.unproven} of {posts.accepted + posts.unproven} posts of its last day refused" if posts.unproven else ""


def _last(what: str, source: SourceSettings, address: str, *, known: Known, now: datetime) -> Finding:
    """When an event last came, where its posts are well."""
    heard, watched, posts = known.heard(source.name), known.watched(source.name), known.arrived(source.name).posts
    if watched is not None and watched.firing:
        found = f"silent: {watched.missed_hours:.0f} hours without the posts that were to be expected"
        return warn(what, found, f"Look at the ESP: it has to post to {address} (docs/sources.md)")
    refused = f"; {_refused(posts)}{_why(known, source.name)}" if posts.unproven else ""
    if heard is None and posts.accepted:
        return warn(what, f"{posts.accepted} posts, no event in them yet{refused}", "Send a mail through the ESP, then ask again.")
    if heard is None:
        next_step = "make demo" if source.name.startswith(DEMO_PREFIX) else f"Enter its address at the ESP: {address}"
        return warn(what, "nothing came yet", next_step)
    age_us = to_us(now) - heard.last_received_us
    found = f"last event {age_of(age_us)} ago{refused}"
    if age_us > DAY_US and not (watched is not None and watched.state == SourceState.REGULAR):
        return warn(what, found, f"If mail went out since, look at the ESP: it has to post to {address}")
    return ok(what, found)
