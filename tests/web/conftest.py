"""What the tests of the web find ready."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from service.outbound.certificates import CertificateStore
from tests.web.worlds import MakeWorld, Template, World, make_template, settings_at, world_at


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Tables and tokens, made once and copied for each world."""
    return make_template(settings_at(tmp_path_factory.mktemp("template")))


@pytest.fixture
def make_world(tmp_path: Path, template: Template) -> Iterator[MakeWorld]:
    """Makes worlds on SQLite, each in a folder of its own, and closes them."""
    made: list[World] = []

    def make(certificates: CertificateStore | None = None, **changes: Any) -> World:  # noqa: ANN401 - any setting
        folder = tmp_path / str(len(made))
        copytree(template.folder, folder)
        made.append(world_at(settings_at(folder, **changes), template.tokens, certificates))
        return made[-1]

    yield make
    for world in made:
        world.hopp.database.close()
        world.hopp.inbox.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world on SQLite."""
    return make_world()
