"""The command that lists the configured sources, or all ESPs that could be one."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click
import orjson

from service.bootstrap import Hopp, build
from service.cli.guides import TELLS, guide_of, index_of, secret_words
from service.cli.samples.load import load_samples
from service.esp import adapters
from service.model.moments import iso, to_us
from service.settings import settings_from_process
from service.store import soundness
from service.store.reading.health import HealthReader

_COUNTS = ("deliveries", "events", "duplicates", "quarantined", "not_authentic", "refused")
_WIDTH = 110
Row = Mapping[str, object]


@click.command("sources")
@click.option("--available", is_flag=True, help="List every ESP that Hopp understands instead.")
@click.option("--guide", metavar="ESP", help="Print the guide to this ESP instead, as Markdown.")
@click.option("--write-guides", type=click.Path(file_okay=False, path_type=Path), help="Write all guides into this folder instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def sources_command(*, available: bool, guide: str | None, write_guides: Path | None, as_json: bool) -> None:
    """List the configured sources: what the ESP has to be told, when something last came, and what became of it."""
    if write_guides is not None:
        _write_guides(write_guides)
        return
    hopp = build(settings_from_process())
    if guide is not None:
        _print_guide(hopp, guide)
    elif as_json:
        for row in _adapters(hopp) if available else _sources(hopp):
            click.echo(orjson.dumps(row).decode())
    elif available:
        _print_adapters(hopp)
    elif not hopp.settings.sources:
        click.echo("No source is configured: add [[source]] to hopp.toml (docs/settings.md).", err=True)
    else:
        _print_sources(_sources(hopp))


def _sources(hopp: Hopp) -> Iterator[Row]:
    health = HealthReader(hopp.database).read(to_us(hopp.now())) if soundness.is_there(hopp.database) else None
    if health is None:
        click.echo(f"sources: {hopp.database.described} cannot be read, so nothing is known of what came; see: doctor", err=True)
    heard = {source.name: source for source in health.sources} if health else {}
    watched = {source.name: source for source in health.watched} if health else {}
    for source in hopp.settings.sources:
        adapter, last, seen = hopp.adapters[source.esp], heard.get(source.name), watched.get(source.name)
        yield {
            "name": source.name,
            "esp": source.esp,
            "auth": source.auth or "signature",
            "test": source.is_test,
            "secrets": len(source.secrets),
            "url": hopp.settings.webhook_url(source),
            "proof": secret_words(adapter, source.auth),
            "guide": adapter.guide,
            "state": seen.state if seen else None,
            "alerts": sorted(seen.firing) if seen else [],
            "last_received_at": iso(last.last_received_us) if last else None,
            "lag_seconds": round(last.lag_seconds, 1) if last else None,
            **{name: health.outcomes.get((source.name, name), 0) if health else None for name in _COUNTS},
        }


def _adapters(hopp: Hopp) -> Iterator[Row]:
    for adapter in hopp.adapters.values():
        yield {
            "esp": adapter.name,
            "title": adapter.title,
            "auth": adapter.schemes,
            **asdict(adapter.capabilities),
            "replay_window_hours": adapter.replay_window_hours,
            "guide": adapter.guide,
        }


def _print_sources(rows: Iterable[Row]) -> None:
    for row in rows:
        test = "   test: counted in no rate" if row["test"] else ""
        click.echo(f"{row['name']}   {row['esp']}, {row['auth']}{test}")
        click.echo(f"  address   {row['url']}")
        click.echo(f"  proof     {row['proof']}")
        click.echo(_wrapped("  at ESP    ", str(row["guide"])))
        click.echo(f"  last      {row['last_received_at'] or 'nothing came yet'}{_health(row)}")
        counts = (f"{row[name] or 0} {name.replace('_', ' ')}" for name in _COUNTS)
        click.echo(f"  so far    {', '.join(counts)}")


def _health(row: Row) -> str:
    """Red where something is wrong with it, nothing where it was never judged."""
    if not row["state"]:
        return ""
    return "   " + click.style(str(row["state"]), fg="red" if row["alerts"] else None)


def _wrapped(head: str, words: str) -> str:
    return textwrap.fill(words, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)


def _print_guide(hopp: Hopp, esp: str) -> None:
    if esp not in hopp.adapters:
        message = f"there is no ESP {esp!r}; known: {', '.join(hopp.adapters)}"
        raise click.UsageError(message)
    click.echo(guide_of(hopp.adapters[esp], load_samples(esp)), nl=False)


def _write_guides(folder: Path) -> None:
    """Those of the ESPs that Hopp knows by itself, so that they are the same everywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {f"{name}.md": guide_of(adapter, load_samples(name)) for name, adapter in adapters().items()}
    for name, text in (pages | {"README.md": index_of(adapters().values())}).items():
        (folder / name).write_text(text, encoding="utf-8")
    click.echo(f"{folder}: {len(pages)} guides and their list")


def _print_adapters(hopp: Hopp) -> None:
    for adapter in hopp.adapters.values():
        told = [words for name, words in TELLS.items() if getattr(adapter.capabilities, name)]
        click.echo(f"{adapter.name}   {adapter.title}")
        click.echo(f"  proves    {', '.join(adapter.schemes)}")
        click.echo(f"  tells     {', '.join(told)}{'' if adapter.capabilities.delivered_events else '   (no delivered mail, so no rate)'}")
    click.echo("\nWhat to set at each ESP: python -m service sources --guide ESP")
