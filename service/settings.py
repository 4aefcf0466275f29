"""What differs per deployment? Read once from the environment and hopp.toml, checked, then frozen.

A wrong setting stops the start: the error names the setting, its place and the mend. Secrets never appear in an error.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = "hopp.toml"
DEFAULT_DATABASE = "sqlite:///var/hopp.sqlite"
INBOX_FILE = "hopp-inbox.sqlite"
DEFAULT_BIND = "127.0.0.1:8000"
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SOURCE_KEYS = {"name", "esp", "secrets", "auth", "test", "topic_arns", "signature_versions", "public_url", "confirm_subscriptions"}
_TABLES = {"source", "mapping", "policy", "rules"}
_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_NATS_URL = re.compile(rf"nats://(?:[^@/,\s]+@)?{_HOST}(?:,{_HOST})*(?:/[A-Za-z0-9_-]{{1,60}})?")
_REPLICAS = (1, 5)  # what JetStream takes
_LOOPBACK = ("127.", "localhost", "[::1]")


class SettingsError(Exception):
    """A setting is wrong: the text names it, its place and the mend."""


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
    body_limit_bytes: int = 20_000_000
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


def load_settings(environment: Mapping[str, str], folder: Path | None = None) -> Settings:
    """Settings from `HOPP_…` variables and the TOML file they name; raises SettingsError.

    A relative path in `hopp.toml` and its default place are looked up in `folder` (the working directory).
    """
    folder = folder or Path()
    _refuse_unknown_variables(environment)
    config_path = _find_config(environment, folder)
    document = _load_document(config_path) if config_path else {}
    place = str(config_path)
    _refuse_unknown_keys(document, _TABLES, place)
    database = environment.get("HOPP_DATABASE") or DEFAULT_DATABASE
    inbox = environment.get("HOPP_INBOX") or _default_inbox(database)
    bind = environment.get("HOPP_BIND") or DEFAULT_BIND
    _check_urls(database, inbox)
    _check_bind(bind)
    settings = Settings(
        database=database,
        inbox=inbox,
        inbox_replicas=_inbox_replicas(environment, inbox),
        bind=bind,
        public_url=(environment.get("HOPP_PUBLIC_URL") or f"http://{bind}").rstrip("/"),
        config_path=config_path,
        sources=tuple(_source(entry, number, place, environment) for number, entry in _entries(document, "source", place)),
        policy=_policy(document.get("policy", {}), place),
        own_rules=_own_rules(document.get("rules", {}), place, folder),
        mappings=tuple(_mapping(entry, number, place, folder) for number, entry in _entries(document, "mapping", place)),
        body_limit_bytes=_whole(environment, "HOPP_BODY_LIMIT_BYTES", 20_000_000, low=1_000),
        batch_deliveries=_whole(environment, "HOPP_BATCH_DELIVERIES", 500, low=1),
        web_processes=_web_processes(environment, inbox),
        web_threads=_whole(environment, "HOPP_WEB_THREADS", 32 if inbox.startswith("sqlite") else 16, low=1),
        log_format=_choice(environment, "HOPP_LOG_FORMAT", ("text", "json")),
        log_level=_choice(environment, "HOPP_LOG_LEVEL", ("info", "debug", "warning", "error")),
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
    "HOPP_BATCH_DELIVERIES": "deliveries that the worker takes at once; 500 by default",
    "HOPP_WEB_PROCESSES": "gunicorn processes; 1 with an inbox in SQLite (more are refused), else 2",
    "HOPP_WEB_THREADS": "threads of each gunicorn process; 32 with an inbox in SQLite, else 16",
    "HOPP_LOG_FORMAT": "text or json; text by default",
    "HOPP_LOG_LEVEL": "debug, info, warning or error; info by default",
}
_FOR_TESTS = {"HOPP_TEST_POSTGRES"}


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    unknown = sorted(name for name in environment if name.startswith("HOPP_") and name not in VARIABLES.keys() | _FOR_TESTS)
    if unknown:
        known = ", ".join(VARIABLES)
        message = f"{unknown[0]}: there is no such setting. Unset it or correct its name. Known: {known}."
        raise SettingsError(message)


def _find_config(environment: Mapping[str, str], folder: Path) -> Path | None:
    named = environment.get("HOPP_CONFIG")
    if named and not (folder / named).is_file():
        message = f"HOPP_CONFIG={named}: there is no such file. Create it, or unset HOPP_CONFIG to use {DEFAULT_CONFIG}."
        raise SettingsError(message)
    path = folder / (named or DEFAULT_CONFIG)
    return path if path.is_file() else None


def _load_document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}). Check its permissions and that it is UTF-8 text."
        raise SettingsError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{path}: is not valid TOML: {error}. Correct that line."
        raise SettingsError(message) from error


def _refuse_unknown_keys(table: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        message = f"{place}: there is no setting {unknown[0]!r}. Remove it or correct its name. Known: {', '.join(sorted(known))}."
        raise SettingsError(message)


def _default_inbox(database: str) -> str:
    folder, separator, _file = database.rpartition("/")
    if database.startswith("sqlite") and separator and not folder.endswith(":/"):
        return f"{folder}/{INBOX_FILE}"
    return f"sqlite:///var/{INBOX_FILE}"


def _check_urls(database: str, inbox: str) -> None:
    for name, url in (("HOPP_DATABASE", database), ("HOPP_INBOX", inbox)):
        also = ("nats://",) if name == "HOPP_INBOX" else ()
        known = ("sqlite:///", "postgresql://", "postgresql+psycopg://", *also)
        if not url.startswith(known):
            message = f"{name}: the URL has to start with {', '.join(known)} (it starts with {url.split(':', 1)[0]!r})."
            raise SettingsError(message)
    if inbox.startswith("nats://") and not _NATS_URL.fullmatch(inbox):
        message = (
            "HOPP_INBOX: has to be written as nats://user:password@host1:4222,host2:4222/stream; user and stream may be missing, "
            "and signs other than letters and digits in the password stand as %XX."
        )
        raise SettingsError(message)
    if inbox == database and inbox.startswith("sqlite"):
        message = "HOPP_INBOX: SQLite needs a file of its own for the inbox. Name another file, or unset HOPP_INBOX."
        raise SettingsError(message)


def _inbox_replicas(environment: Mapping[str, str], inbox: str) -> int:
    if not inbox.startswith("nats://"):
        if environment.get("HOPP_INBOX_REPLICAS"):
            raise SettingsError("HOPP_INBOX_REPLICAS: only an inbox in NATS has replicas. Unset it, or set HOPP_INBOX to a nats:// URL.")
        return 1
    low, high = _REPLICAS
    replicas = _whole(environment, "HOPP_INBOX_REPLICAS", 3 if inbox.count(",") > 1 else 1, low=low)
    if replicas > high:
        raise SettingsError(f"HOPP_INBOX_REPLICAS={replicas}: has to be at most {high}. 3 survive the loss of one server, 5 of two.")
    return replicas


def _check_bind(bind: str) -> None:
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - the range of TCP ports
        message = f"HOPP_BIND={bind}: has to be ADDRESS:PORT, for example 127.0.0.1:8000."
        raise SettingsError(message)


def _whole(environment: Mapping[str, str], name: str, default: int, *, low: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) < low:
        message = f"{name}={text}: has to be a whole number of at least {low}. Correct it, or unset it for {default}."
        raise SettingsError(message)
    return int(text)


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = environment.get(name) or choices[0]
    if text not in choices:
        message = f"{name}={text}: has to be one of {', '.join(choices)}."
        raise SettingsError(message)
    return text


def _web_processes(environment: Mapping[str, str], inbox: str) -> int:
    is_sqlite = inbox.startswith("sqlite")
    processes = _whole(environment, "HOPP_WEB_PROCESSES", 1 if is_sqlite else 2, low=1)
    if is_sqlite and processes > 1:
        message = "HOPP_WEB_PROCESSES: SQLite takes one writer. Set it to 1, or set HOPP_INBOX to a postgresql:// or nats:// URL."
        raise SettingsError(message)
    return processes


def _entries(document: Mapping[str, Any], key: str, place: str) -> list[tuple[int, dict[str, Any]]]:
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        message = f"{place}: {key} has to be written as [[{key}]], once for each."
        raise SettingsError(message)
    return list(enumerate(entries, start=1))


def _source(entry: dict[str, Any], number: int, place: str, environment: Mapping[str, str]) -> SourceSettings:
    here = f"{place}, [[source]] number {number}"
    _refuse_unknown_keys(entry, _SOURCE_KEYS, here)
    name = _text(entry, "name", here)
    if not _SOURCE_NAME.fullmatch(name):
        message = f"{here}: name {name!r} may hold only a-z, 0-9, - and _ and has at most 100 characters."
        raise SettingsError(message)
    here = f"{place}, source {name!r}"
    secrets = tuple(_secret(text, here, environment) for text in _texts(entry, "secrets", here))
    return SourceSettings(
        name=name,
        esp=_text(entry, "esp", here),
        secrets=secrets,
        auth=_text(entry, "auth", here) if "auth" in entry else None,
        is_test=_flag(entry, "test", here, default=False),
        confirms_subscriptions=_flag(entry, "confirm_subscriptions", here, default=True),
        options=_options(entry, here),
    )


def _options(entry: Mapping[str, Any], here: str) -> dict[str, tuple[str, ...]]:
    """What is set of a source's options; an absent one leaves the adapter its own default."""
    lists = {name: _texts(entry, name, here) for name in ("topic_arns", "signature_versions") if name in entry}
    return lists | ({"public_url": (_text(entry, "public_url", here),)} if "public_url" in entry else {})


def _text(entry: Mapping[str, Any], key: str, here: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        message = f"{here}: {key} has to be a text in quotes."
        raise SettingsError(message)
    return value


def _texts(entry: Mapping[str, Any], key: str, here: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        message = f'{here}: {key} has to be a list of texts, for example {key} = ["…"].'
        raise SettingsError(message)
    return tuple(value)


def _flag(entry: Mapping[str, Any], key: str, here: str, *, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        message = f"{here}: {key} has to be true or false."
        raise SettingsError(message)
    return value


def _secret(text: str, here: str, environment: Mapping[str, str]) -> str:
    """A secret by `env:NAME`, by `file:PATH`, or as it stands."""
    readers: dict[str, Callable[[str], str]] = {
        "env": lambda name: environment.get(name) or "",
        "file": lambda path: Path(path).read_text(encoding="utf-8").strip(),
    }
    scheme, separator, rest = text.partition(":")
    if not separator or scheme not in readers:
        return text
    try:
        secret = readers[scheme](rest)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{here}: secret {text!r} cannot be read. Create that file, readable for this user."
        raise SettingsError(message) from error
    if not secret:
        message = f"{here}: secret {text!r} is empty. Set it, or take it out of the list."
        raise SettingsError(message)
    return secret


def _policy(table: object, place: str) -> dict[str, dict[str, float]]:
    if not isinstance(table, dict):
        message = f"{place}: policy has to be written as [policy.alert], [policy.business] and so on."
        raise SettingsError(message)
    for name, values in table.items():
        if not isinstance(values, dict) or not all(_is_number(value) for value in values.values()):
            message = f"{place}, [policy.{name}]: every value has to be a number."
            raise SettingsError(message)
    return {name: {key: float(value) for key, value in values.items()} for name, values in table.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _own_rules(table: object, place: str, folder: Path) -> Path | None:
    if table == {}:
        return None
    if not isinstance(table, dict) or not isinstance(table.get("file"), str):
        message = f'{place}: rules has to be written as [rules] with file = "PATH".'
        raise SettingsError(message)
    return _file(table["file"], folder, f"{place}, [rules]")


def _mapping(entry: dict[str, Any], number: int, place: str, folder: Path) -> Path:
    here = f"{place}, [[mapping]] number {number}"
    _refuse_unknown_keys(entry, {"file"}, here)
    return _file(_text(entry, "file", here), folder, here)


def _file(name: str, folder: Path, here: str) -> Path:
    path = folder / name
    if not path.is_file():
        message = f"{here}: there is no file {path}. Create it, or remove the setting."
        raise SettingsError(message)
    return path


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
