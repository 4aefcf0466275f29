"""The commands that keep Hopp running: serve, worker, migrate."""

import signal
import sys
from threading import Event as Signal

import click

from service.bootstrap import Hopp, build
from service.cli.first_start import write_demo_config
from service.cli.supervise import supervise
from service.cli.tokens import first_token
from service.inbox.port import Exclusive, WorkerAlreadyRunningError
from service.model.moments import to_us
from service.outbound.ports import find_flaw
from service.settings import Settings, settings_for_command, settings_from_process
from service.store import partitions, schema
from service.telemetry.logs import configure_logs


class _HeldError(click.ClickException):
    """Another process does this work already: starting once more would only fail again and again."""

    exit_code = 2


def _hold(hopp: Hopp) -> None:
    """Refuse to start beside another worker where the inbox serves only one."""
    if isinstance(hopp.inbox, Exclusive):
        try:
            hopp.inbox.hold()
        except WorkerAlreadyRunningError as error:
            raise _HeldError(str(error)) from error


def prepared(settings: Settings | None = None) -> Hopp:
    """The parts, with logs set up and a schema that fits; only the embedded default migrates itself.

    Without settings they are those of a command: it verifies no post, so it gets no secrets and asks for none.
    """
    settings = settings or settings_for_command()
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
    flaw = find_flaw(settings.bind)
    if flaw is not None:
        raise click.ClickException(flaw)
    if settings.is_embedded and settings.config_path is None:
        click.echo(f"First start: wrote {write_demo_config()} with four demo sources and fresh keys.")
    hopp = prepared(settings_from_process())  # once more: the first start has just written hopp.toml
    _hold(hopp)
    if hopp.settings.own_rules is not None:
        hopp.labels()  # a wrong rule file stops the start here, not the worker again and again; ours takes as long as all the rest
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
    hopp = prepared(settings_from_process())
    _hold(hopp)
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
@click.option("--yes-delete-everything", "may_delete", is_flag=True, help="Needed to go down: what newer revisions hold is deleted.")
def migrate_command(target: str, *, may_delete: bool) -> None:
    """Bring the tables of the main database and the inbox to this program's schema."""
    hopp = build(settings_for_command())
    left = None if may_delete else schema.find_loss(hopp.database, target)
    if left is not None:
        raise click.ClickException(_loss(hopp, left, target))
    before, after = schema.migrate(hopp.database, target)
    if after == schema.head_revision():
        partitions.ensure_ahead(hopp.database, to_us(hopp.now()))
    hopp.inbox.prepare()
    changed = f"{before or 'empty'} -> {after or 'empty'}" if before != after else f"at {after or 'nothing'} already, nothing to do"
    click.echo(f"{hopp.database.described}: {changed}")


def _loss(hopp: Hopp, left: str, target: str) -> str:
    lost = (
        "every table with all events, alerts and tokens"
        if target == "base"
        else "the tables and columns that came after it, with what they hold"
    )
    return (
        f"going from revision {left} down to {target} deletes from {hopp.database.described} {lost}. Nothing was changed. "
        "Make a backup (docs/operations.md), stop web and workers, then repeat it with --yes-delete-everything."
    )
