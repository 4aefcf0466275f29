"""The command that lists the configured sources, or all ESPs that could be one."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click
import orjson

from service.bootstrap import Hopp, build
from service.cli.doctor_sources import NO_ADDRESS, Known, address_of, finding_of, load_known
from service.cli.guides import TELLS, guide_of, index_of, secret_words
from service.cli.local import own_url
from service.cli.options import chosen_adapter
from service.cli.samples.load import load_samples
from service.esp import adapters
from service.esp_kit.adapter import Adapter
from service.model.moments import iso, to_us
from service.outbound.service_client import ServiceClient
from service.settings import settings_from_process

_COUNTS = ("deliveries", "events", "duplicates", "quarantined", "not_authentic", "refused")
_WIDTH = 110
_WEB_SECONDS = 2.0  # it is asked for the reasons of refusals alone
Row = Mapping[str, object]


@click.command("sources")
@click.option("--available", is_flag=True, help="List every ESP that Hopp understands instead.")
@click.option("--guide", metavar="ESP", help="Print the guide to this ESP instead, as Markdown.")
@click.option("--write-guides", type=click.Path(file_okay=False, path_type=Path), help="Write all guides into this folder instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def sources_command(*, available: bool, guide: str | None, write_guides: Path | None, as_json: bool) -> None:
    """List the configured sources: what the ESP has to be told, when something last came, and what became of it.

    Ends with 1 where the database does not answer, because then nothing is known of what came.
    """
    if write_guides is not None:
        _write_guides(write_guides)
        return
    hopp = build(settings_from_process())
    if guide is not None:
        _print_guide(hopp, guide)
    elif available:
        _print_available(hopp, as_json=as_json)
    else:
        _print_configured(hopp, as_json=as_json)


def _print_available(hopp: Hopp, *, as_json: bool) -> None:
    if not as_json:
        _print_adapters(hopp)
        return
    for row in _adapters(hopp):
        click.echo(orjson.dumps(row).decode())


def _print_configured(hopp: Hopp, *, as_json: bool) -> None:
    if not hopp.settings.sources:
        click.echo("No source is configured: add [[source]] to hopp.toml (docs/settings.md).", err=True)
        return
    with ServiceClient(own_url(hopp.settings.bind), timeout_seconds=_WEB_SECONDS) as client:
        known = load_known(hopp.database, client, to_us(hopp.now()))
    for row in _sources(hopp, known):
        if as_json:
            click.echo(orjson.dumps(row).decode())
        else:
            _print_source(row, unheard="unknown" if known.silence else "no event yet")
    if known.silence:
        click.echo(f"hopp: nothing is known of what came, {known.silence}. See: doctor", err=True)
        sys.exit(1)


def _sources(hopp: Hopp, known: Known) -> Iterator[Row]:
    for source in hopp.settings.sources:
        adapter, last, seen = hopp.adapters[source.esp], known.heard(source.name), known.watched(source.name)
        finding = finding_of(source, hopp, known, hopp.now())
        yield {
            "name": source.name,
            "esp": source.esp,
            "auth": source.auth or "signature",
            "test": source.is_test,
            "secrets": len(source.secrets),
            "url": address_of(source, hopp.settings),
            "proof": secret_words(adapter, source.auth),
            "guide": _guide(adapter, source.auth),
            "state": seen.state if seen else None,
            "alerts": sorted(seen.firing) if seen else [],
            "last_received_at": iso(last.last_received_us) if last else None,
            "lag_seconds": round(last.lag_seconds, 1) if last else None,
            **{name: known.health.outcomes.get((source.name, name), 0) if known.health else None for name in _COUNTS},
            "found": finding.found,
            "next": finding.next_step or None,
        }


def _guide(adapter: Adapter, auth: str | None) -> str:
    """What to set at the ESP; its recipe tells how it signs, which is of no use to a source that is proven otherwise."""
    if auth is None or adapter.schemes[0] != "signature":
        return adapter.guide
    return f"Enter the address there, and the proof as above in place of its signature. The rest is in: sources --guide {adapter.name}"


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


def _print_source(row: Row, *, unheard: str) -> None:
    test = "   test: counted in no rate" if row["test"] else ""
    click.echo(f"{row['name']}   {row['esp']}, {row['auth']}{test}")
    click.echo(f"  address   {row['url'] or NO_ADDRESS}")
    click.echo(f"  proof     {row['proof']}")
    click.echo(_wrapped("  at ESP    ", str(row["guide"])))
    click.echo(f"  last      {row['last_received_at'] or unheard}{_health(row)}")
    counts = (f"{row[name]} {name.replace('_', ' ')}" for name in _COUNTS if row[name] is not None)
    click.echo(f"  so far    {', '.join(counts) or unheard}")
    if row["next"]:
        click.echo(f"  look      {row['found']}\n            next: {row['next']}")


def _health(row: Row) -> str:
    """Red where something is wrong with it, nothing where it was never judged."""
    if not row["state"]:
        return ""
    return "   " + click.style(str(row["state"]), fg="red" if row["alerts"] else None)


def _wrapped(head: str, words: str) -> str:
    return textwrap.fill(words, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)


def _print_guide(hopp: Hopp, esp: str) -> None:
    click.echo(guide_of(chosen_adapter(hopp.adapters, esp), load_samples(esp)), nl=False)


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
