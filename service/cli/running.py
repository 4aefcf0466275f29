"""The commands that keep Hopp running: serve, worker, migrate."""

import signal
import sys
from threading import Event as Signal

import click

from service.bootstrap import Hopp, build
from service.cli.first_start import write_demo_config
from service.cli.supervise import supervise
from service.cli.tokens import first_token
from service.outbound.ports import is_taken
from service.settings import Settings, settings_from_process
from service.store import schema
from service.telemetry.logs import configure_logs


def prepared() -> Hopp:
    """The parts, with logs set up and a schema that fits; only the embedded default migrates itself."""
    settings = settings_from_process()
    configure_logs(settings.log_format, settings.log_level)
    hopp = build(settings)
    if settings.is_embedded:
        schema.migrate(hopp.database)
    schema.check(hopp.database)
    hopp.inbox.prepare()
    return hopp


@click.command("serve")
def serve_command() -> None:
    """Run the web and one worker together, until stopped.

    On its first start with the embedded default it writes hopp.toml with four demo sources and prints an API token.
    """
    settings = settings_from_process()
    if is_taken(settings.bind):
        message = f"somebody listens on {settings.bind} already. Stop that (another `serve`?), or set HOPP_BIND to another port."
        raise click.ClickException(message)
    if settings.is_embedded and settings.config_path is None:
        click.echo(f"First start: wrote {write_demo_config()} with four demo sources and fresh keys.")
    hopp = prepared()
    hopp.labels()  # a wrong rule file stops the start here, not the worker again and again
    _greet(hopp)
    hopp.inbox.close()  # web and worker have connections of their own
    hopp.database.close()
    sys.exit(supervise(hopp.settings))


def _greet(hopp: Hopp) -> None:
    settings = hopp.settings
    click.echo(f"Hopp listens on http://{settings.bind}   API: /docs   health: /readyz")
    for source in settings.sources:
        note = "   (auth = none: anybody on this machine may post)" if source.auth == "none" else ""
        click.echo(f"  {source.esp:<10} POST {settings.webhook_url(source)}{note}")
    if not settings.sources:
        click.echo("  No source is configured: add [[source]] to hopp.toml (docs/settings.md), then start again.")
    token = first_token(hopp)
    if token:
        click.echo(f"API token of the first start (role admin, shown only now): {token}")


@click.command("worker")
def worker_command() -> None:
    """Process what waits in the inbox and evaluate alerts, until stopped. SIGTERM finishes the batch in hand."""
    hopp = prepared()
    stopping = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        hopp.worker(stopping).run()
    finally:
        hopp.inbox.close()
        hopp.database.close()


@click.command("migrate")
@click.option("--to", "target", default="head", show_default=True, help="Revision to go to: head, base, or a number like 0001.")
def migrate_command(target: str) -> None:
    """Bring the tables of the main database and the inbox to this program's schema."""
    settings: Settings = settings_from_process()
    hopp = build(settings)
    before, after = schema.migrate(hopp.database, target)
    hopp.inbox.prepare()
    click.echo(f"{hopp.database.described}: {before or 'empty'} -> {after or 'empty'}")
