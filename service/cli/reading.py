"""The command that reads a payload and says what it means."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from service.bootstrap import build, load_mapping_file
from service.cli.options import chosen_adapter
from service.esp_kit.adapter import Adapter
from service.esp_kit.printing import event_as_dict
from service.model.errors import UnreadableError
from service.model.events import Delivery
from service.settings import settings_for_command


@click.command("parse")
@click.option("--esp", help="Which ESP's payload it is; `sources --available` lists them.")
@click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A mapping file to try instead of --esp.")
@click.option("--content-type", default="", help="Content-Type of the POST, where the format depends on it.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header of the POST; may be given several times.")
@click.argument("file", type=click.File("rb"), default="-")
def parse_command(*, esp: str | None, mapping: Path | None, content_type: str, headers: tuple[str, ...], file: BinaryIO) -> None:
    """Print the events of one payload, one JSON object a line. Verifies nothing: anybody could have written it."""
    adapter = _adapter(esp, mapping)
    click.echo("parse: nothing was verified; this shows only what the payload says", err=True)
    known = dict(_header(line) for line in headers)
    delivery = Delivery(
        id="0" * 32,
        source="parse",
        esp=adapter.name,
        received_at=datetime.now(UTC),
        body=file.read(),
        content_type=content_type or known.get("content-type", ""),
        headers=known,
    )
    try:
        parsed = adapter.parse(delivery)
    except UnreadableError as error:
        raise click.ClickException(str(error)) from error
    for event in parsed.events:
        click.echo(orjson.dumps(event_as_dict(event)).decode())
    for kind in parsed.unknown_kinds:
        click.echo(f"parse: {adapter.name} has no event type {kind!r} that we know; kept as kind other", err=True)
    for problem in parsed.problems:
        click.echo(f"parse: {problem.error} {problem.fragment}".rstrip(), err=True)
    if parsed.problems and not parsed.events:
        sys.exit(1)


def _adapter(esp: str | None, mapping: Path | None) -> Adapter:
    if (esp is None) is (mapping is None):
        raise click.UsageError("name the payload's ESP by --esp NAME, or a file that describes it by --mapping FILE")
    if mapping is not None:
        return load_mapping_file(mapping)
    return chosen_adapter(build(settings_for_command()).adapters, esp or "")


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator or not name.strip():
        message = f"--header {line!r}: has to be 'Name: value'"
        raise click.UsageError(message)
    return name.strip().lower(), value.strip()
