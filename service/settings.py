"""What differs per deployment? Read once from the environment and hopp.toml, checked, then frozen.

A wrong setting stops the start: the error names the setting, its place and the mend. Secrets never appear in an error.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from service.settings_reading import (
    SettingsError,
    check_bind,
    check_urls,
    find_config,
    find_file,
    is_number,
    load_document,
    read_choice,
    read_days,
    read_entries,
    read_flag,
    read_secret,
    read_text,
    read_texts,
    read_whole,
    refuse_unknown_keys,
    refuse_unknown_variables,
)

__all__ = [
    "DEFAULT_CONFIG",
    "VARIABLES",
    "Keep",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "load_settings",
    "settings_for_command",
    "settings_from_process",
]

DEFAULT_CONFIG = "hopp.toml"
DEFAULT_DATABASE = "sqlite:///var/hopp.sqlite"
INBOX_FILE = "hopp-inbox.sqlite"
DEFAULT_BIND = "127.0.0.1:8000"
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SOURCE_KEYS = {"name", "esp", "secrets", "auth", "test", "topic_arns", "signature_versions", "public_url", "confirm_subscriptions"}
_TABLES = {"source", "mapping", "policy", "rules", "retain"}
_SHORTEST_DAYS = 7  # an ESP tries again for three days, and a weekend may pass before somebody looks at what was quarantined
_REPLICAS = (1, 5)  # what JetStream takes
_LOOPBACK = ("127.", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One configured endpoint: `POST /webhooks/<name>`."""

    name: str
    esp: str
    secrets: tuple[str, ...] = field(default=(), repr=False)  # any of them verifies
    auth: str | None = None  # None = the ESP's own signature
    is_test: bool = False  # its events stay out of every rate
    confirms_subscriptions: bool = True  # SNS: whether a genuine confirmation is answered by fetching its address
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How many days after its receipt something is kept; 0 is for ever."""

    archive_days: int = 90  # raw deliveries, with all that an ESP writes about people
    events_days: int = 0
    hourly_days: int = 0  # roll-ups, which hold no addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of this process."""

    database: str = field(repr=False)  # may hold a password
    inbox: str = field(repr=False)
    inbox_replicas: int = 1
    bind: str = DEFAULT_BIND
    public_url: str = ""
    config_path: Path | None = None
    sources: tuple[SourceSettings, ...] = ()
    policy: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    own_rules: Path | None = None
    mappings: tuple[Path, ...] = ()  # files that describe ESPs which Hopp does not know
    keep: Keep = Keep()
    body_limit_bytes: int = 20_000_000
    free_bytes_min: int = 256_000_000  # a full batch of bodies, its archive and both write-ahead logs
    batch_deliveries: int = 500
    web_processes: int = 1
    web_threads: int = 32
    log_format: str = "text"
    log_level: str = "info"

    def webhook_url(self, source: SourceSettings) -> str:
        """The address to enter at the ESP: the source's own, or made from the server's."""
        own = source.options.get("public_url", ())
        return own[0] if own else f"{self.public_url}/webhooks/{source.name}"

    @property
    def is_embedded(self) -> bool:
        """True on the default that needs no server: SQLite for the main database and for the inbox."""
        return self.database.startswith("sqlite") and self.inbox.startswith("sqlite")

    @property
    def listens_on_loopback(self) -> bool:
        """True where only this machine can reach the web."""
        return self.bind.startswith(_LOOPBACK)

    def find_source(self, name: str) -> SourceSettings | None:
        """The source configured under this name."""
        return next((source for source in self.sources if source.name == name), None)


def load_settings(environment: Mapping[str, str], folder: Path | None = None, *, looks_up: bool = True) -> Settings:
    """Settings from `HOPP_…` variables and the TOML file they name, by default in `folder` (the working directory); raises SettingsError.

    A relative path in the TOML file starts beside it. What stands behind env:, file: and [rules] may stay where it is for whoever needs
    none of it: then sources have no secrets.
    """
    folder = folder or Path()
    refuse_unknown_variables(environment, VARIABLES, _FOR_TESTS)
    config_path = find_config(environment, folder, DEFAULT_CONFIG)
    beside = config_path.parent if config_path else folder
    secret_of = partial(read_secret, environment=environment, folder=beside) if looks_up else None
    document = load_document(config_path) if config_path else {}
    place = str(config_path)
    refuse_unknown_keys(document, _TABLES, place)
    database = environment.get("HOPP_DATABASE") or DEFAULT_DATABASE
    inbox = environment.get("HOPP_INBOX") or _default_inbox(database)
    bind = environment.get("HOPP_BIND") or DEFAULT_BIND
    check_urls(database, inbox)
    check_bind(bind)
    settings = Settings(
        database=database,
        inbox=inbox,
        inbox_replicas=_inbox_replicas(environment, inbox),
        bind=bind,
        public_url=(environment.get("HOPP_PUBLIC_URL") or f"http://{bind}").rstrip("/"),
        config_path=config_path,
        sources=tuple(_source(entry, number, place, secret_of) for number, entry in read_entries(document, "source", place)),
        policy=_policy(document.get("policy", {}), place),
        own_rules=_own_rules(document.get("rules", {}), place, beside, looks_up=looks_up),
        mappings=tuple(_mapping(entry, number, place, beside) for number, entry in read_entries(document, "mapping", place)),
        keep=_keep(document.get("retain", {}), place),
        body_limit_bytes=read_whole(environment, "HOPP_BODY_LIMIT_BYTES", 20_000_000, low=1_000),
        free_bytes_min=read_whole(environment, "HOPP_FREE_BYTES_MIN", 256_000_000, low=0),
        batch_deliveries=read_whole(environment, "HOPP_BATCH_DELIVERIES", 500, low=1),
        web_processes=_web_processes(environment, inbox),
        web_threads=read_whole(environment, "HOPP_WEB_THREADS", 32, low=1),
        log_format=read_choice(environment, "HOPP_LOG_FORMAT", ("text", "json")),
        log_level=read_choice(environment, "HOPP_LOG_LEVEL", ("info", "debug", "warning", "error")),
    )
    _check_sources(settings, place)
    return settings


VARIABLES: Mapping[str, str] = {
    "HOPP_DATABASE": "main database: sqlite:///path or postgresql://user@host/name; sqlite:///var/hopp.sqlite by default",
    "HOPP_INBOX": "where raw deliveries wait: sqlite:///path (by default beside the main database), postgresql://… or nats://…",
    "HOPP_INBOX_REPLICAS": "with an inbox in NATS: on how many servers a delivery is kept; 3 where three are named, else 1",
    "HOPP_BIND": "address and port that the web listens on; 127.0.0.1:8000 by default",
    "HOPP_CONFIG": "TOML file with sources and policy; hopp.toml by default, where it exists",
    "HOPP_PUBLIC_URL": "the address that ESPs post to, as they see it; http://HOPP_BIND by default",
    "HOPP_BODY_LIMIT_BYTES": "largest body accepted, as sent and inflated; 20000000 by default",
    "HOPP_FREE_BYTES_MIN": "free bytes on the disks of SQLite files below which /readyz is a 503; 256000000 by default",
    "HOPP_BATCH_DELIVERIES": "deliveries that the worker takes at once; 500 by default",
    "HOPP_WEB_PROCESSES": "gunicorn processes; 1 with an inbox in SQLite (more are refused), else 2",
    "HOPP_WEB_THREADS": "threads of each gunicorn process; 32 by default",
    "HOPP_LOG_FORMAT": "text or json; text by default",
    "HOPP_LOG_LEVEL": "debug, info, warning or error; info by default",
}
_FOR_TESTS = {"HOPP_TEST_POSTGRES"}


def _default_inbox(database: str) -> str:
    folder, separator, _file = database.rpartition("/")
    if database.startswith("sqlite") and separator and not folder.endswith(":/"):
        return f"{folder}/{INBOX_FILE}"
    return f"sqlite:///var/{INBOX_FILE}"


def _inbox_replicas(environment: Mapping[str, str], inbox: str) -> int:
    if not inbox.startswith("nats://"):
        if environment.get("HOPP_INBOX_REPLICAS"):
            raise SettingsError("HOPP_INBOX_REPLICAS: only an inbox in NATS has replicas. Unset it, or set HOPP_INBOX to a nats:// URL.")
        return 1
    low, high = _REPLICAS
    replicas = read_whole(environment, "HOPP_INBOX_REPLICAS", 3 if inbox.count(",") > 1 else 1, low=low)
    if replicas > high:
        raise SettingsError(f"HOPP_INBOX_REPLICAS={replicas}: has to be at most {high}. 3 survive the loss of one server, 5 of two.")
    return replicas


def _web_processes(environment: Mapping[str, str], inbox: str) -> int:
    is_sqlite = inbox.startswith("sqlite")
    processes = read_whole(environment, "HOPP_WEB_PROCESSES", 1 if is_sqlite else 2, low=1)
    if is_sqlite and processes > 1:
        message = "HOPP_WEB_PROCESSES: SQLite takes one writer. Set it to 1, or set HOPP_INBOX to a postgresql:// or nats:// URL."
        raise SettingsError(message)
    return processes


def _source(entry: dict[str, Any], number: int, place: str, secret_of: Callable[[str, str], str] | None) -> SourceSettings:
    here = f"{place}, [[source]] number {number}"
    refuse_unknown_keys(entry, _SOURCE_KEYS, here)
    name = read_text(entry, "name", here)
    if not _SOURCE_NAME.fullmatch(name):
        message = f"{here}: name {name!r} may hold only a-z, 0-9, - and _ and has at most 100 characters."
        raise SettingsError(message)
    here = f"{place}, source {name!r}"
    secrets = read_texts(entry, "secrets", here)
    return SourceSettings(
        name=name,
        esp=read_text(entry, "esp", here),
        secrets=tuple(secret_of(text, here) for text in secrets) if secret_of else (),
        auth=read_text(entry, "auth", here) if "auth" in entry else None,
        is_test=read_flag(entry, "test", here, default=False),
        confirms_subscriptions=read_flag(entry, "confirm_subscriptions", here, default=True),
        options=_options(entry, here),
    )


def _options(entry: Mapping[str, Any], here: str) -> dict[str, tuple[str, ...]]:
    """What is set of a source's options; an absent one leaves the adapter its own default."""
    lists = {name: read_texts(entry, name, here) for name in ("topic_arns", "signature_versions") if name in entry}
    return lists | ({"public_url": (read_text(entry, "public_url", here),)} if "public_url" in entry else {})


def _policy(table: object, place: str) -> dict[str, dict[str, float]]:
    if not isinstance(table, dict):
        message = f"{place}: policy has to be written as [policy.alert], [policy.business] and so on."
        raise SettingsError(message)
    for name, values in table.items():
        if not isinstance(values, dict):
            message = f"{place}, policy.{name}: this is no threshold. Write it below a table, as in [policy.alert] k_min = 5."
            raise SettingsError(message)
        for key, value in values.items():
            if not is_number(value):
                message = f"{place}, [policy.{name}]: {key} has to be a number, without quotes."
                raise SettingsError(message)
    return {name: {key: float(value) for key, value in values.items()} for name, values in table.items()}


def _keep(table: object, place: str) -> Keep:
    here = f"{place}, [retain]"
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: retain has to be written as [retain] with archive_days, events_days and hourly_days.")
    refuse_unknown_keys(table, {item.name for item in fields(Keep)}, here)
    default = Keep()
    days = {item.name: read_days(table, item.name, getattr(default, item.name), here, low=_SHORTEST_DAYS) for item in fields(Keep)}
    keep = Keep(**days)
    if keep.hourly_days and not 0 < keep.events_days <= keep.hourly_days:
        message = f"{here}: hourly_days = {keep.hourly_days} has to be at least events_days: a late event corrects the hours of those kept."
        raise SettingsError(f"{message} Set events_days to that or less, or hourly_days to 0 (for ever).")
    return keep


def _own_rules(table: object, place: str, folder: Path, *, looks_up: bool) -> Path | None:
    if table == {}:
        return None
    if not isinstance(table, dict) or not isinstance(table.get("file"), str):
        raise SettingsError(f'{place}: rules has to be written as [rules] with file = "PATH".')
    return find_file(table["file"], folder, f"{place}, [rules]") if looks_up else folder / table["file"]


def _mapping(entry: dict[str, Any], number: int, place: str, folder: Path) -> Path:
    here = f"{place}, [[mapping]] number {number}"
    refuse_unknown_keys(entry, {"file"}, here)
    return find_file(read_text(entry, "file", here), folder, here)


def _check_sources(settings: Settings, place: str) -> None:
    names = [source.name for source in settings.sources]
    for source in settings.sources:
        here = f"{place}, source {source.name!r}"
        if names.count(source.name) > 1:
            message = f"{here}: the name is used more than once. Give each source a name of its own."
            raise SettingsError(message)
        if source.auth == "none" and not settings.listens_on_loopback:
            message = f'{here}: auth = "none" is only allowed where HOPP_BIND is a loopback address (it is {settings.bind}).'
            raise SettingsError(message)


def settings_from_process() -> Settings:
    """The settings of this process, from its environment and working directory."""
    return load_settings(os.environ)


def settings_for_command() -> Settings:
    """The same for a command that verifies and signs nothing: a secret that is set elsewhere does not stop it, and it gets none."""
    return load_settings(os.environ, looks_up=False)
