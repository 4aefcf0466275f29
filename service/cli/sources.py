"""The command that lists the configured sources, or all ESPs that could be one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

import click
import orjson

from service.bootstrap import Hopp, build
from service.model.moments import iso, to_us
from service.settings import settings_from_process
from service.store import soundness
from service.store.reading.health import HealthReader

_COUNTS = ("deliveries", "events", "duplicates", "quarantined", "not_authentic")
_TELLS = {
    "delivered_events": "delivered mail",
    "smtp_text": "server's words",
    "remote_host": "server's name",
    "sending_ip": "sending IP",
    "engagement": "opens and clicks",
}

Row = Mapping[str, object]


@click.command("sources")
@click.option("--available", is_flag=True, help="List every ESP that Hopp understands instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def sources_command(*, available: bool, as_json: bool) -> None:
    """List the configured sources: the address to enter at the ESP, when something last came, and what became of it."""
    hopp = build(settings_from_process())
    if as_json:
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
    for source in hopp.settings.sources:
        last = heard.get(source.name)
        yield {
            "name": source.name,
            "esp": source.esp,
            "auth": source.auth or hopp.adapters[source.esp].schemes[0],
            "test": source.is_test,
            "secrets": len(source.secrets),
            "url": hopp.settings.webhook_url(source),
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
        click.echo(f"  post to   {row['url']}")
        click.echo(f"  last      {row['last_received_at'] or 'nothing came yet'}")
        counts = (f"{row[name] or 0} {name.replace('_', ' ')}" for name in _COUNTS)
        click.echo(f"  so far    {', '.join(counts)}")


def _print_adapters(hopp: Hopp) -> None:
    for adapter in hopp.adapters.values():
        told = [words for name, words in _TELLS.items() if getattr(adapter.capabilities, name)]
        click.echo(f"{adapter.name}   {adapter.title}")
        click.echo(f"  proves    {', '.join(adapter.schemes)}")
        click.echo(f"  tells     {', '.join(told)}{'' if adapter.capabilities.delivered_events else '   (no delivered mail, so no rate)'}")
    click.echo("\nWhat to set at each ESP: python -m service sources --available --json")
