"""A small world behind the web: sources, tokens, and rows that a test asks about."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flask.testing import FlaskClient
from sqlalchemy import Table, insert

from service.bootstrap import Hopp, build
from service.model.words import Role
from service.outbound.certificates import CertificateStore
from service.settings import Settings, SourceSettings
from service.store import tokens
from service.store.schema import migrate
from service.web.app import create_app
from tests.web.rows import NOW

SECRET = "correct-horse"
SOURCES = (
    SourceSettings(name="pm", esp="postmark", auth="token", secrets=(SECRET,)),
    SourceSettings(name="pm-basic", esp="postmark", auth="basic", secrets=(f"hopp:{SECRET}",)),
    SourceSettings(name="pm-header", esp="postmark", auth="header:X-Hopp-Key", secrets=(SECRET,)),
    SourceSettings(name="ses-basic", esp="ses", auth="basic", secrets=(f"hopp:{SECRET}",)),
    SourceSettings(name="sl", esp="socketlabs", secrets=(SECRET,)),
    SourceSettings(name="closed", esp="postmark", auth="token"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The parts, a client, and a token for each role."""

    hopp: Hopp
    client: FlaskClient
    tokens: Mapping[Role, str]

    def ask(self, path: str, role: Role = Role.READER, **headers: str) -> Any:  # noqa: ANN401 - werkzeug's test response
        """GET with this role's token."""
        return self.client.get(path, headers={"Authorization": f"Bearer {self.tokens[role]}", **headers})

    def add(self, table: Table, **values: object) -> None:
        """Add a row."""
        with self.hopp.database.write() as connection:
            connection.execute(insert(table).values(**values))

    def kept(self) -> tuple[Any, ...]:
        """What waits in the inbox."""
        with self.hopp.inbox.take(1_000) as batch:
            return batch.deliveries


def settings_at(folder: Path, *, database: str = "", sources: tuple[SourceSettings, ...] = SOURCES, **changes: Any) -> Settings:  # noqa: ANN401 - any setting
    """Settings with both databases in a folder."""
    urls = {"database": database or f"sqlite:///{folder}/hopp.sqlite", "inbox": f"sqlite:///{folder}/inbox.sqlite"}
    return Settings(**urls | {"sources": sources} | changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A folder with empty databases, but for a token of each role."""

    folder: Path
    tokens: Mapping[Role, str]


def make_template(settings: Settings) -> Template:
    """Migrated databases, closed, to be copied."""
    hopp = build(settings)
    migrate(hopp.database)
    hopp.inbox.prepare()
    with hopp.database.write() as connection:
        given = {role: tokens.create(connection, role.value, role, NOW) for role in Role}
    hopp.database.close()
    hopp.inbox.close()
    return Template(folder=Path(str(hopp.database.url.database)).parent, tokens=given)


def world_at(settings: Settings, given: Mapping[Role, str], certificates: CertificateStore | None = None) -> World:
    """A world whose clock stands still."""
    hopp = build(settings, now=lambda: NOW, certificates=certificates or CertificateStore(_nothing_to_fetch))
    return World(hopp=hopp, client=create_app(hopp).test_client(), tokens=given)


class MakeWorld(Protocol):
    """Makes a world with these settings."""

    def __call__(self, certificates: CertificateStore | None = None, **changes: Any) -> World: ...  # noqa: ANN401 - any setting


def _nothing_to_fetch(url: str) -> bytes:
    raise AssertionError(url)


def ids(answer: Any) -> list[Any]:  # noqa: ANN401 - werkzeug's test response
    """The ids in a list that the API gave."""
    return [item["id"] for item in answer.get_json()["items"]]


def all_pages(world: World, path: str, role: Role = Role.READER) -> list[Any]:
    """The ids on all pages of a list, in their order."""
    found: list[Any] = []
    cursor = ""
    while True:
        joined = "&" if "?" in path else "?"
        answer = world.ask(path + (f"{joined}cursor={cursor}" if cursor else ""), role)
        found += ids(answer)
        cursor = answer.get_json()["next_cursor"]
        if cursor is None:
            return found
