"""What is configured, what can be reached, what is missing? Each finding says what to do next."""

import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson

from service.bootstrap import Hopp
from service.cli.ages import age_of
from service.cli.cluster import examine_cluster
from service.cli.doctor_sources import examine_sources, load_known
from service.cli.doctor_upkeep import examine_upkeep
from service.cli.findings import Finding, State, fail, ok, warn
from service.cli.understanding import examine_rules
from service.inbox.port import Replicated
from service.model.errors import HoppError, RemoteUnavailableError
from service.model.moments import SECOND_US, iso, to_us
from service.outbound.service_client import ServiceClient
from service.settings import Settings
from service.store import schema, soundness, tokens
from service.store.database import Database
from service.store.reading.health import Health
from service.store.soundness import Soundness
from service.telemetry.redaction import mask

_OLDEST_POSTGRESQL = 14
_WAITING_US = 60 * SECOND_US  # a worker that runs leaves nothing waiting so long
_LEASE_US = 120 * SECOND_US  # a worker renews its lease every minute
_SKEW_US = 5 * SECOND_US
_LOW_BYTES = 1_000_000_000
_FULL_BYTES = 256_000_000  # below it the web says that it is not ready
_FULL_SYNC = "2"
_LOSES = ("off", "0")


def examine(hopp: Hopp, client: ServiceClient) -> Iterator[Finding]:
    """Look at everything, from the settings to the disk."""
    now = hopp.now()
    known = load_known(hopp.database, client, to_us(now))
    health = known.health
    yield from _settings(hopp.settings)
    yield from _database(hopp.database, now)
    yield from examine_upkeep(hopp, now)
    if isinstance(hopp.inbox, Replicated):
        yield from _cluster(hopp.inbox, hopp, now)
    else:
        yield from _inbox(hopp, now)
    yield from _worker(hopp, health, now)
    yield from _web(client)
    yield from examine_sources(hopp, known, now)
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
            is_newer = isinstance(error, schema.SchemaNewerError)
            next_step = "Or put back the backup from before: docs/operations.md" if is_newer else "python -m service migrate"
            yield fail("schema", str(error), next_step)
        return
    yield ok("schema", f"at revision {schema.head_revision()}, which this program needs")


def _durable(what: str, database: Database, now: datetime) -> Iterator[Finding]:
    silence = database.find_silence()
    if silence is not None:
        yield fail(what, f"{database.described} does not answer: {mask(silence)}", f"Check that it runs, and HOPP_{what.upper()}.")
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
        lease = soundness.find_newest_lease(connection)
    age_us = to_us(now) - lease.until_us if lease else 0
    if health.oldest_due_us is not None and to_us(now) - health.oldest_due_us > _LEASE_US:
        found = f"{health.due_checks} checks wait, the oldest is due for {age_of(to_us(now) - health.oldest_due_us)}"
        yield fail("worker", found, "No worker evaluates: start one (make worker), or read its log.")
    elif lease is None or age_us > _LEASE_US:
        found = f"none has worked since {iso(lease.until_us)}" if lease else "none has worked yet"
        yield fail("worker", found, "Start one: make run, or make worker")
    elif lease.is_given_up:
        next_step = "Start one: make run, or make worker. Where others run, one of them takes over within a minute."
        yield warn("worker", f"the one that evaluated was stopped {age_of(age_us)} ago", next_step)
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
        found = f"{client.base_url}/readyz answers {answer.status}{_reason_in(answer.body)}"
        yield fail("web", found, "Mend what it names; its log says more.")


def _reason_in(body: bytes) -> str:
    """What a problem document says; nothing where something else answers."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return f": {document['detail']}" if isinstance(document, dict) and isinstance(document.get("detail"), str) else ""


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
