"""How is one value of the environment or of hopp.toml read, and what is said where it is wrong?"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_LONGEST_DAYS = 36_500
_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_USER = re.compile(r"^[^:/]*(?::[^@]*)?@")
_NATS_URL = re.compile(rf"nats://(?:[^@/,\s]+@)?{_HOST}(?:,{_HOST})*(?:/[A-Za-z0-9_-]{{1,60}})?")


class SettingsError(Exception):
    """A setting is wrong: the text names it, its place and the mend."""


def refuse_unknown_variables(environment: Mapping[str, str], known: Iterable[str], also: Iterable[str]) -> None:
    """Raise SettingsError where a HOPP_ variable means nothing."""
    unknown = sorted(name for name in environment if name.startswith("HOPP_") and name not in {*known, *also})
    if unknown:
        message = f"{unknown[0]}: there is no such setting. Unset it or correct its name. Known: {', '.join(known)}."
        raise SettingsError(message)


def find_config(environment: Mapping[str, str], folder: Path, default: str) -> Path | None:
    """The TOML file; the default one may be missing, one that is named may not."""
    named = environment.get("HOPP_CONFIG")
    path = folder / (named or default)
    if path.is_file():
        return path
    if named:
        found = "this is a folder" if path.is_dir() else "there is no such file"
        message = f"HOPP_CONFIG={named}: {found}. Name the TOML file, or unset HOPP_CONFIG to use {default}."
        raise SettingsError(message)
    return None


def load_document(path: Path) -> dict[str, Any]:
    """The TOML file as it stands."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}). Check its permissions and that it is UTF-8 text."
        raise SettingsError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{path} is not valid TOML: {error}. Correct that line."
        raise SettingsError(message) from error


def refuse_unknown_keys(table: Mapping[str, Any], known: set[str], place: str) -> None:
    """Raise SettingsError where a table holds a key that means nothing."""
    unknown = sorted(table.keys() - known)
    if unknown:
        message = f"{place}: there is no setting {unknown[0]!r}. Remove it or correct its name. Known: {', '.join(sorted(known))}."
        raise SettingsError(message)


def read_entries(document: Mapping[str, Any], key: str, place: str) -> list[tuple[int, dict[str, Any]]]:
    """What is written as [[key]], numbered from 1."""
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        message = f"{place}: {key} has to be written as [[{key}]], once for each."
        raise SettingsError(message)
    return list(enumerate(entries, start=1))


def read_text(entry: Mapping[str, Any], key: str, here: str) -> str:
    """A text that has to be there."""
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        message = f"{here}: {key} has to be a text in quotes."
        raise SettingsError(message)
    return value


def read_texts(entry: Mapping[str, Any], key: str, here: str) -> tuple[str, ...]:
    """A list of texts; empty where it is absent."""
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        message = f'{here}: {key} has to be a list of texts, for example {key} = ["…"].'
        raise SettingsError(message)
    return tuple(value)


def read_flag(entry: Mapping[str, Any], key: str, here: str, *, default: bool) -> bool:
    """True or false."""
    value = entry.get(key, default)
    if not isinstance(value, bool):
        message = f"{here}: {key} has to be true or false."
        raise SettingsError(message)
    return value


def read_secret(text: str, here: str, environment: Mapping[str, str], folder: Path) -> str:
    """A secret by `env:NAME`, by `file:PATH`, or as it stands."""
    scheme, separator, rest = text.partition(":")
    if not separator or scheme not in {"env", "file"}:
        return text
    secret = environment.get(rest) if scheme == "env" else _read_secret_file(folder / rest, text, here)
    if secret is None:
        message = f"{here}: secret {text!r}: the variable {rest} is not set. Set it where Hopp is started, or take it out of the list."
        raise SettingsError(message)
    if not secret:
        message = f"{here}: secret {text!r} is empty. Set it, or take it out of the list."
        raise SettingsError(message)
    return secret


def _read_secret_file(path: Path, text: str, here: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{here}: secret {text!r} cannot be read from {path.absolute()}. Create that file, readable for this user."
        raise SettingsError(message) from error


def is_number(value: object) -> bool:
    """True for a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def find_file(name: str, folder: Path, here: str) -> Path:
    """The path of a file that has to be there."""
    path = folder / name
    if not path.is_file():
        message = f"{here}: there is no file {path.absolute()}. Create it, or correct the path: it starts beside hopp.toml."
        raise SettingsError(message)
    return path


def read_whole(environment: Mapping[str, str], name: str, default: int, *, low: int) -> int:
    """A whole number from a variable."""
    text = environment.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) < low:
        message = f"{name}={text}: has to be a whole number of at least {low}. Correct it, or unset it for {default}."
        raise SettingsError(message)
    return int(text)


def read_choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of some words from a variable; the first is the default."""
    text = environment.get(name) or choices[0]
    if text not in choices:
        message = f"{name}={text}: has to be one of {', '.join(choices)}."
        raise SettingsError(message)
    return text


def read_days(table: Mapping[str, Any], key: str, default: int, here: str, *, low: int) -> int:
    """Days that something is kept; 0 is for ever."""
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or (value != 0 and not low <= value <= _LONGEST_DAYS):
        message = f"{here}: {key} has to be 0 (for ever) or a whole number of days from {low} to {_LONGEST_DAYS}."
        raise SettingsError(message)
    return value


def check_urls(database: str, inbox: str) -> None:
    """Raise SettingsError where one of the two is no URL of a database, or both name one file."""
    for name, url in (("HOPP_DATABASE", database), ("HOPP_INBOX", inbox)):
        also = ("nats://",) if name == "HOPP_INBOX" else ()
        known = ("sqlite:///", "postgresql://", "postgresql+psycopg://", *also)
        if not url.startswith(known):
            message = f"{name}: the URL has to start with {', '.join(known)} (it starts with {url.split(':', 1)[0]!r})."
            raise SettingsError(message)
        _check_server(name, url)
    if inbox.startswith("nats://") and not _NATS_URL.fullmatch(inbox):
        message = (
            "HOPP_INBOX: has to be written as nats://user:password@host1:4222,host2:4222/stream; user and stream may be missing, "
            "and signs other than letters and digits in the password stand as %XX."
        )
        raise SettingsError(message)
    if inbox == database and inbox.startswith("sqlite"):
        message = "HOPP_INBOX: SQLite needs a file of its own for the inbox. Name another file, or unset HOPP_INBOX."
        raise SettingsError(message)


def _check_server(name: str, url: str) -> None:
    """An @ in the password would end it early, and the rest of it would be shown as the host."""
    if not url.startswith("postgresql"):
        return
    host = re.split(r"[/?]", _USER.sub("", url.partition("://")[2], count=1), maxsplit=1)[0]
    if "@" in host:
        message = f"{name}: the URL holds more than one @. In a user or password write it as %40 (and : as %3A, / as %2F, % as %25)."
        raise SettingsError(message)
    if host and not re.fullmatch(_HOST, host):
        message = f"{name}: what stands for HOST:PORT is neither. Write it as postgresql://user:password@host:5432/name."
        raise SettingsError(message)


def check_bind(bind: str) -> None:
    """Raise SettingsError where it is no address and port."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - the range of TCP ports
        message = f"HOPP_BIND={bind}: has to be ADDRESS:PORT, for example 127.0.0.1:8000."
        raise SettingsError(message)
