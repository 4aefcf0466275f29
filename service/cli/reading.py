"""The commands that read one thing and say what it means: parse a payload, classify an answer."""

import sys
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from service.bootstrap import Hopp, build, load_mapping_file
from service.classify.explanation import Explanation
from service.classify.reply import Reply
from service.esp_kit.adapter import Adapter
from service.esp_kit.printing import event_as_dict
from service.model.errors import UnreadableError
from service.model.events import Classification, Delivery
from service.model.words import Label
from service.settings import settings_from_process

_ANSWER = ("label", "group", "persistence", "doubt", "rule", "vendor", "evidence")


@click.command("parse")
@click.option("--esp", help="Which ESP's payload it is; `sources --available` lists them.")
@click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A mapping file to try instead of --esp.")
@click.option("--content-type", default="", help="Content-Type of the POST, where the format depends on it.")
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header of the POST; may be given several times.")
@click.argument("file", type=click.File("rb"), default="-")
def parse_command(*, esp: str | None, mapping: Path | None, content_type: str, headers: tuple[str, ...], file: BinaryIO) -> None:
    """Print the events of one payload, one JSON object a line. Verifies nothing: anybody could have written it."""
    hopp = build(settings_from_process())
    adapter = _adapter(hopp, esp, mapping)
    click.echo("parse: nothing was verified; this shows only what the payload says", err=True)
    known = dict(_header(line) for line in headers)
    delivery = Delivery(
        id="0" * 32,
        source="parse",
        esp=adapter.name,
        received_at=hopp.now(),
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


def _adapter(hopp: Hopp, esp: str | None, mapping: Path | None) -> Adapter:
    if (esp is None) is (mapping is None):
        raise click.UsageError("name the payload's ESP by --esp NAME, or a file that describes it by --mapping FILE")
    if mapping is not None:
        return load_mapping_file(mapping)
    adapter = hopp.adapters.get(esp or "")
    if adapter is None:
        message = f"there is no ESP {esp!r}; known: {', '.join(hopp.adapters)}"
        raise click.UsageError(message)
    return adapter


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator or not name.strip():
        message = f"--header {line!r}: has to be 'Name: value'"
        raise click.UsageError(message)
    return name.strip().lower(), value.strip()


@click.command("classify")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of columns divided by tabs.")
@click.option("--explain", is_flag=True, help="Show every rule that matched, the winner and why.")
@click.argument("file", type=click.File("rb"), default="-")
def classify_command(*, as_json: bool, explain: bool, file: BinaryIO) -> None:
    """Label diagnostics, one a line: label group persistence doubt rule vendor evidence."""
    classifier = build(settings_from_process()).labels().classifier
    for line in file:
        reply = Reply(text=line.decode("utf-8", "replace").rstrip("\r\n"))
        if explain:
            _print_explanation(classifier.explain(reply), as_json=as_json)
        else:
            _print_answer(classifier.classify(reply), as_json=as_json)


def _print_answer(answer: Classification, *, as_json: bool) -> None:
    values = {name: getattr(answer, name) for name in _ANSWER}
    if as_json:
        click.echo(orjson.dumps(values).decode())
        return
    click.echo("\t".join("" if value is None else str(value) for value in values.values()))


def _print_explanation(explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(explanation).decode())
        return
    for line in explanation.as_lines():
        click.echo(line)
    if explanation.classification.label is Label.UNDETERMINED:
        click.echo("No rule knows this wording. A rule of your own can: docs/own-rules.md")
