"""What is configured, what can be reached, what is missing? Each finding says what to do next."""

import shutil
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from service.alerting.sources import SourceState, SourceTrouble
from service.bootstrap import Hopp
from service.cli.ages import age_of
from service.cli.cluster import examine_cluster
from service.cli.findings import Finding, State, fail, ok, warn
from service.cli.first_start import DEMO_PREFIX
from service.cli.understanding import examine_rules
from service.inbox.port import Replicated
from service.model.errors import HoppError, RemoteUnavailableError
from service.model.moments import DAY_US, SECOND_US, iso, to_us
from service.outbound.service_client import ServiceClient
from service.settings import Settings, SourceSettings
from service.store import schema, soundness, tokens
from service.store.database import Database
from service.store.reading.health import Health, HealthReader, SourceHealth, WatchedSource
from service.store.soundness import Soundness

_OLDEST_POSTGRESQL = 14
_WAITING_US = 60 * SECOND_US  # a worker that runs leaves nothing waiting so long
_LEASE_US = 120 * SECOND_US  # a worker renews its lease every minute
_SKEW_US = 5 * SECOND_US
_LOW_BYTES = 1_000_000_000
_FULL_BYTES = 256_000_000  # below it the web says that it is not ready
_FULL_SYNC = "2"
_DEMO = f"source {DEMO_PREFIX}"
_LOSES = ("off", "0")


def examine(hopp: Hopp, client: ServiceClient) -> Iterator[Finding]:
    """Look at everything, from the settings to the disk."""
    now = hopp.now()
    health = HealthReader(hopp.database).read(to_us(now)) if soundness.is_there(hopp.database) else None
    yield from _settings(hopp.settings)
    yield from _database(hopp.database, now)
    if isinstance(hopp.inbox, Replicated):
        yield from _cluster(hopp.inbox, hopp, now)
    else:
        yield from _inbox(hopp, now)
    yield from _worker(hopp, health, now)
    yield from _web(client)
    for source in hopp.settings.sources:
        yield _source(source, hopp, health, now)
    if not hopp.settings.sources:
        yield warn(
            "sources", "none is configured, so no webhook is taken", "Add a [[source]] to hopp.toml (docs/settings.md), then start again."
        )
    yield from examine_rules(hopp, health, now)
    yield from _tokens(hopp, health)
    yield from _clock(health, now)
    yield from _disk(hopp.settings)


def _settings(settings: Settings) -> Iterator[Finding]:
    path = settings.config_path
    if path is None:
        yield ok("settings", "defaults and HOPP_ variables; there is no hopp.toml")
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and any(source.secrets for source in settings.sources):
        yield warn("settings", f"{path} may be read by others of this machine", f"chmod 600 {path}, or keep the secrets in env: or file:.")
    else:
        yield ok("settings", str(path))


def _database(database: Database, now: datetime) -> Iterator[Finding]:
    if not soundness.is_there(database):
        yield warn("database", f"{database.described} is not there yet", "Start it (make run), or: python -m service migrate")
        return
    yield from _durable("database", database, now)
    try:
        schema.check(database)
    except HoppError as error:
        if database.answers():
            yield fail("schema", str(error), "python -m service migrate")
        return
    yield ok("schema", f"at revision {schema.head_revision()}, which this program needs")


def _durable(what: str, database: Database, now: datetime) -> Iterator[Finding]:
    if not database.answers():
        yield fail(what, f"{database.described} does not answer", f"Check that it runs, and HOPP_{what.upper()}.")
        return
    with database.read() as connection:
        sound = soundness.load_soundness(connection)
    risks = list(risks_of(sound))
    version = ".".join(str(part) for part in sound.version)
    if risks:
        next_step = "Set what is named to its default; until then a power cut may lose what was accepted."
        yield fail(what, f"{database.described}, {sound.product} {version}: {', '.join(risks)}", next_step)
    else:
        yield ok(what, f"{database.described}, {sound.product} {version}, keeps what it commits")
    if sound.now_us is not None and abs(sound.now_us - to_us(now)) > _SKEW_US:
        difference = age_of(abs(sound.now_us - to_us(now)))
        yield warn(
            "clock", f"the clock of the {what} and this one are {difference} apart", "Set both by NTP: signatures and windows go by them."
        )


def risks_of(sound: Soundness) -> Iterator[str]:
    """What could lose committed rows, in the database's own words."""
    settings = sound.settings
    if sound.product == "SQLite":
        if settings["journal_mode"] != "wal":
            yield f"journal_mode = {settings['journal_mode']} instead of wal"
        if settings["synchronous"] < _FULL_SYNC:
            yield f"synchronous = {settings['synchronous']} instead of {_FULL_SYNC}"
        return
    if sound.version[0] < _OLDEST_POSTGRESQL:
        yield f"older than version {_OLDEST_POSTGRESQL}"
    yield from (f"{name} = {value}" for name, value in settings.items() if value in _LOSES)


def _inbox(hopp: Hopp, now: datetime) -> Iterator[Finding]:
    inbox = Database(hopp.settings.inbox)
    try:
        if not soundness.is_there(inbox):
            yield warn("inbox", f"{inbox.described} is not there yet", "Start it (make run), or: python -m service migrate")
            return
        yield from _durable("inbox", inbox, now)
        if inbox.answers():
            with inbox.read() as connection:
                is_prepared = soundness.has_table(connection, "inbox")
            if not is_prepared:
                yield fail("waiting", "the inbox has no table", "python -m service migrate")
                return
            yield from _waiting(hopp, now)
    finally:
        inbox.close()


def _cluster(inbox: Replicated, hopp: Hopp, now: datetime) -> Iterator[Finding]:
    found = list(examine_cluster(inbox, hopp.settings))
    yield from found
    if all(finding.what != "inbox" or finding.state is not State.FAIL for finding in found):
        yield from _waiting(hopp, now)


def _waiting(hopp: Hopp, now: datetime) -> Iterator[Finding]:
    state = hopp.inbox.state()
    if state.oldest_received_at is None:
        yield ok("waiting", "nothing waits in the inbox")
        return
    age_us = to_us(now) - to_us(state.oldest_received_at)
    found = f"{state.waiting} in the inbox, the oldest for {age_of(age_us)}"
    if age_us > _WAITING_US:
        yield fail("waiting", found, "No worker takes them: start one (make worker), or read its log.")
    else:
        yield ok("waiting", found)


def _worker(hopp: Hopp, health: Health | None, now: datetime) -> Iterator[Finding]:
    if health is None:
        return
    with hopp.database.read() as connection:
        lease_us = soundness.newest_lease_us(connection)
    if health.oldest_due_us is not None and to_us(now) - health.oldest_due_us > _LEASE_US:
        found = f"{health.due_checks} checks wait, the oldest is due for {age_of(to_us(now) - health.oldest_due_us)}"
        yield fail("worker", found, "No worker evaluates: start one (make worker), or read its log.")
    elif lease_us is None or to_us(now) - lease_us > _LEASE_US:
        found = f"none has worked since {iso(lease_us)}" if lease_us else "none has worked yet"
        yield fail("worker", found, "Start one: make run, or make worker")
    else:
        yield ok("worker", "one evaluates")


def _web(client: ServiceClient) -> Iterator[Finding]:
    try:
        answer = client.get("/readyz")
    except RemoteUnavailableError:
        yield fail("web", f"nothing answers at {client.base_url}", "Start it: make run. If it runs elsewhere: doctor --url ADDRESS")
        return
    if answer.is_success:
        yield ok("web", f"{client.base_url} is ready")
    else:
        yield fail("web", f"{client.base_url}/readyz answers {answer.status}", "Its log says why it is not ready.")


def _source(source: SourceSettings, hopp: Hopp, health: Health | None, now: datetime) -> Finding:
    what = f"source {source.name}"
    notes = [source.esp, source.auth or hopp.adapters[source.esp].schemes[0]]
    notes += ["test: counted in no rate"] if source.is_test else []
    notes += [] if hopp.adapters[source.esp].capabilities.delivered_events else ["tells of no delivered mail: people are counted, no rate"]
    known = ", ".join(notes)
    if not source.secrets and not source.options.get("topic_arns") and source.auth != "none":
        return fail(what, f"{known}; it has no secret, so it refuses everything", "Give it `secrets` (for SNS: `topic_arns`) in hopp.toml.")
    if source.auth == "none":
        return warn(what, f"{known}; anybody on this machine may post", "Give it a secret before it listens to others.")
    if source.name.startswith(DEMO_PREFIX) and not hopp.settings.listens_on_loopback:
        return warn(what, f"{known}; made for the demo", "Delete it: its key lies in hopp.toml.")
    address = hopp.settings.webhook_url(source)
    watched = next((item for item in health.watched if item.name == source.name), None) if health else None
    if watched is not None and watched.firing:
        return _troubled(what, known, watched, address)
    is_usual = watched is not None and watched.state == SourceState.REGULAR
    return _heard(what, known, _health_of(source, health), address=address, now=now, is_usual=is_usual)


def _troubled(what: str, known: str, watched: WatchedSource, address: str) -> Finding:
    """What fires about the source."""
    if SourceTrouble.REFUSED in watched.firing:
        return fail(
            what, f"{known}; most of its posts are refused", "Compare its secret with the one that the ESP shows (docs/sources.md)."
        )
    found = f"{known}; silent: {watched.missed_hours:.0f} hours without the posts that were to be expected"
    return warn(what, found, f"Look at the ESP: it has to post to {address} (docs/sources.md)")


def _health_of(source: SourceSettings, health: Health | None) -> SourceHealth | None:
    known: Mapping[str, SourceHealth] = {item.name: item for item in health.sources} if health else {}
    return known.get(source.name)


def _heard(what: str, known: str, heard: SourceHealth | None, *, address: str, now: datetime, is_usual: bool) -> Finding:
    if heard is None:
        next_step = "make demo" if what.startswith(_DEMO) else f"Enter its address at the ESP: {address}"
        return warn(what, f"{known}; no event yet", next_step)
    age_us = to_us(now) - heard.last_received_us
    found = f"{known}; last event {age_of(age_us)} ago"
    if age_us > DAY_US and not is_usual:
        return warn(what, found, f"If mail went out since, look at the ESP: it has to post to {address}")
    return ok(what, found)


def _tokens(hopp: Hopp, health: Health | None) -> Iterator[Finding]:
    if health is None:
        return
    with hopp.database.read() as connection:
        live = [token for token in tokens.list_all(connection) if token.revoked_us is None]
    if live:
        yield ok("tokens", f"{len(live)} may call the API")
    else:
        yield warn("tokens", "there is none, so nobody may call the API", "python -m service token new --role reader --name NAME")


def _clock(health: Health | None, now: datetime) -> Iterator[Finding]:
    newest_us = max((source.last_received_us for source in health.sources), default=0) if health else 0
    if newest_us > to_us(now) + _SKEW_US:
        found = f"{iso(to_us(now))}, but a webhook came at {iso(newest_us)}: the clock went back"
        yield warn("clock", found, "Set it by NTP: signatures and windows go by it.")
    else:
        yield ok("clock", iso(to_us(now)))


def _disk(settings: Settings) -> Iterator[Finding]:
    files = (url.removeprefix("sqlite:///") for url in (settings.database, settings.inbox) if url.startswith("sqlite"))
    for folder in sorted({Path(file).parent for file in files}):
        if folder.is_dir():
            yield room_left(shutil.disk_usage(folder).free, folder)


def room_left(free_bytes: int, folder: Path) -> Finding:
    """What so many free bytes mean for a folder that databases lie in."""
    found = f"{free_bytes / 1e9:.1f} GB free in {folder}"
    if free_bytes < _FULL_BYTES:
        return fail("disk", found, "Make room now: what cannot be written is not accepted.")
    if free_bytes < _LOW_BYTES:
        return warn("disk", found, "Make room, or move the database (HOPP_DATABASE).")
    return ok("disk", found)
