"""The command that forgets one person."""

import sys
from functools import partial

import click
import orjson

from service.cli.progress import progress_bar
from service.cli.running import prepared
from service.esp_kit.addresses import address_of
from service.pipeline.erase import Erased, count_work, erase


@click.command("erase")
@click.argument("address")
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: known, deliveries, events, waiting, dry_run.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def erase_command(*, address: str, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Take one person's ADDRESS out of all that is kept; `-` reads it from standard input. Every count stays as it is.

    The person becomes a name by chance at the same domain, answers lose the address, and archived deliveries that hold it lose
    their bodies: those cannot be replayed. Backups, logs of others and the ESP's own records are not reached.
    """
    written = sys.stdin.readline() if address == "-" else address
    found = address_of(written.strip())
    if found is None:
        raise click.BadParameter("this is no mail address; give it as name@example.com", param_hint="ADDRESS")
    hopp = prepared()
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("erase", total=count_work(hopp.database))
        done = erase(hopp.database, found, is_dry_run=dry_run, progress=partial(progress.advance, task))
    waiting = hopp.inbox.state().waiting
    if as_json:
        values = {"known": done.is_known, "deliveries": done.deliveries, "events": done.events, "waiting": waiting, "dry_run": dry_run}
        click.echo(orjson.dumps(values).decode())
        return
    _tell(done, waiting, is_dry_run=dry_run)


def _tell(done: Erased, waiting: int, *, is_dry_run: bool) -> None:
    would = "would be " if is_dry_run else ""
    click.echo(f"recipient   {f'{would}renamed' if done.is_known else 'not known under this address'}")
    click.echo(f"events      {done.events} {would}cleaned of the address; they are counted as before")
    click.echo(f"deliveries  {done.deliveries} {would}emptied in the archive; they cannot be replayed")
    if waiting:
        click.echo(f"inbox       {waiting} wait and were not looked at: run this again once they are processed")
