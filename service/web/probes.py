"""Does this process live, and can it take webhooks?"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog
from flask import Flask, Response, jsonify

from service.bootstrap import Hopp
from service.model.errors import SchemaOutdatedError
from service.web.problems import RETRY_SECONDS, problem

log = structlog.get_logger()
_SCHEMA_GOOD_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that being ready depends on, or not."""

    name: str
    is_ok: bool
    stops: bool  # whether we are not ready without it
    detail: str


def register_probes(app: Flask, hopp: Hopp, free_bytes: Callable[[str], int] | None = None) -> None:
    """Add /healthz and /readyz."""
    readiness = Readiness(hopp, free_bytes or _free_bytes)

    def healthz() -> Response:
        return jsonify(status="alive")

    def readyz() -> Response:
        checks = readiness.checks()
        shown = [{"name": check.name, "ok": check.is_ok, "detail": check.detail} for check in checks]
        failed = [check for check in checks if check.stops and not check.is_ok]
        if not failed:
            return jsonify(status="ready", checks=shown)
        log.warning("not_ready", failed=[check.name for check in failed])
        said = " ".join(f"{check.name}: {check.detail}" for check in failed)
        return problem(503, said, headers={"Retry-After": str(RETRY_SECONDS)}, checks=shown)

    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/readyz", "readyz", readyz)


class Readiness:
    """Ready means: a webhook that comes now can be kept.

    The main database may be down meanwhile, for the inbox keeps what comes; where the inbox is in that same database, the
    inbox's own check fails. Tables that are older than this program stop it, because somebody has to do something.
    """

    def __init__(self, hopp: Hopp, free_bytes: Callable[[str], int]) -> None:
        self._hopp = hopp
        self._free_bytes = free_bytes
        self._lock = Lock()
        self._schema_good_until = 0.0
        self._was_silent = False

    def checks(self) -> list[Check]:
        """All checks, the worst of them first in importance: inbox, disk, database."""
        inbox = self._check_inbox()
        database = self._check_database(takes_posts=inbox.is_ok)
        if database.is_ok and self._was_silent:
            log.info("database_answers_again")
        self._was_silent = not database.is_ok
        return [inbox, *self._check_disk(), database]

    def _check_inbox(self) -> Check:
        try:
            waiting = self._hopp.inbox.state().waiting
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be kept
            log.warning("inbox_unreadable", error=type(error).__name__)
            detail = "The inbox does not answer. Check its disk or server, and HOPP_INBOX."
            return Check(name="inbox", is_ok=False, stops=True, detail=detail)
        return Check(name="inbox", is_ok=True, stops=True, detail=f"{waiting} deliveries wait.")

    def _check_disk(self) -> list[Check]:
        folders = {name: folder for name, url in self._urls().items() if (folder := _folder_of(url)) is not None}
        return [self._check_folder(name, folder) for name, folder in folders.items()]

    def _urls(self) -> dict[str, str]:
        return {"inbox disk": self._hopp.settings.inbox, "database disk": self._hopp.settings.database}

    def _check_folder(self, name: str, folder: str) -> Check:
        try:
            free = self._free_bytes(folder)
        except OSError:
            return Check(name=name, is_ok=False, stops=True, detail="The folder cannot be read. Check that it exists.")
        is_ok = free >= self._hopp.settings.free_bytes_min
        megabytes = free // 1_000_000
        detail = f"{megabytes} MB free." if is_ok else f"Only {megabytes} MB free. Make room, or move the file to a larger disk."
        return Check(name=name, is_ok=is_ok, stops=name == "inbox disk", detail=detail)

    def _check_database(self, *, takes_posts: bool) -> Check:
        from service.store import schema  # noqa: PLC0415 - Alembic behind it is a tenth of the start, and no webhook needs it

        now = self._hopp.now().timestamp()
        with self._lock:
            is_known_to_fit = now < self._schema_good_until
        try:
            if not is_known_to_fit:
                schema.check(self._hopp.database)
        except SchemaOutdatedError as error:
            # While an upgrade goes round, the older web goes on taking webhooks beside the newer one.
            is_older = isinstance(error, schema.SchemaNewerError)
            return Check(name="database", is_ok=False, stops=not is_older, detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the inbox keeps what comes
            log.warning("database_unavailable", error=type(error).__name__)
            return _silent(takes_posts=takes_posts)
        if is_known_to_fit and not self._hopp.database.answers():
            return _silent(takes_posts=takes_posts)
        if not is_known_to_fit:
            with self._lock:
                self._schema_good_until = now + _SCHEMA_GOOD_SECONDS
        return Check(name="database", is_ok=True, stops=True, detail="It answers, and its tables fit.")


def _silent(*, takes_posts: bool) -> Check:
    """What it means that the database does not answer; often the inbox lies in the same one."""
    meanwhile = "Webhooks are kept in the inbox until it does;" if takes_posts else "Webhooks are not taken either, see inbox;"
    detail = f"It does not answer. {meanwhile} the API is closed. Check HOPP_DATABASE."
    return Check(name="database", is_ok=False, stops=False, detail=detail)


def _folder_of(url: str) -> str | None:
    path = url.removeprefix("sqlite:///")
    return str(Path(path).resolve().parent) if path not in {url, ":memory:"} else None


def _free_bytes(folder: str) -> int:
    return shutil.disk_usage(folder).free
