"""The command that lets go of what was kept long enough."""

from collections import Counter
from collections.abc import Sequence

import click
import orjson

from service.bootstrap import Hopp
from service.cli.progress import progress_bar
from service.cli.running import prepared
from service.model.moments import iso, to_us
from service.pipeline.retain import Kept, Leaving, plan, retain
from service.settings import Keep

_SETTINGS = {Kept.ARCHIVE: "archive_days", Kept.EVENTS: "events_days", Kept.HOURLY: "hourly_days"}
_WORDS = {Kept.ARCHIVE: "raw deliveries", Kept.EVENTS: "events", Kept.HOURLY: "hours of domains"}


@click.command("retain")
@click.option("--dry-run", is_flag=True, help="Tell what would go, and let nothing go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: what, kept_days, before, rows, partitions, dropped.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def retain_command(*, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Let go of what is older than [retain] in hopp.toml allows; a worker does the same once a day.

    Recipients, alerts and their history stay. It may be broken off and run again at any time. On PostgreSQL a month of receipt goes
    as a whole, once all of it is old enough.
    """
    hopp = prepared()
    leaving = plan(hopp.database, hopp.settings.keep, to_us(hopp.now()))
    dropped = Counter[Kept]() if dry_run else _retained(hopp, leaving, quiet=quiet)
    for what in Kept:
        found = next((item for item in leaving if item.what is what), None)
        values = _values(what, hopp.settings.keep, found, None if dry_run else dropped[what])
        click.echo(orjson.dumps(values).decode() if as_json else _line(what, values))


def _retained(hopp: Hopp, leaving: Sequence[Leaving], *, quiet: bool) -> Counter[Kept]:
    counts: Counter[Kept] = Counter()
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("retain", total=sum(item.rows for item in leaving))
        for step in retain(hopp.database, hopp.settings.keep, to_us(hopp.now())):
            counts[step.what] += step.rows
            progress.advance(task, step.rows)
    return counts


def _values(what: Kept, keep: Keep, found: Leaving | None, dropped: int | None) -> dict[str, object]:
    return {
        "what": what,
        "kept_days": getattr(keep, _SETTINGS[what]) or None,
        "before": iso(found.before_us) if found else None,
        "rows": found.rows if found else 0,
        "partitions": list(found.partitions) if found else [],
        "dropped": dropped,
    }


def _line(what: Kept, values: dict[str, object]) -> str:
    if values["kept_days"] is None:
        return f"{_WORDS[what]:<18} kept for ever; {_SETTINGS[what]} in [retain] of hopp.toml sets a time"
    done = "would go" if values["dropped"] is None else "gone"
    rows = values["rows"] if values["dropped"] is None else values["dropped"]
    parts = values["partitions"]
    months = f" ({', '.join(str(name) for name in parts)})" if isinstance(parts, list) and parts else ""
    of = "of times" if what is Kept.HOURLY else "received"
    return f"{_WORDS[what]:<18} {rows} {done}{months}: {of} before {values['before']}, kept for {values['kept_days']} days"
