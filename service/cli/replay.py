"""The command that reads stored deliveries, or the answers of stored events, once more."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import click
import orjson

from service.bootstrap import Hopp
from service.cli.options import MOMENT
from service.cli.progress import progress_bar
from service.cli.relabelling import relabel_events
from service.cli.running import prepared
from service.model.likeness import meant
from service.model.moments import iso, to_us
from service.model.words import DeliveryState
from service.pipeline.relabel import LABELLED_KINDS
from service.pipeline.replay import REPLAYABLE, Replayed, replay
from service.schemas.masking import mask_text
from service.store.answers import AnswerFilter
from service.store.archive import ArchiveFilter, count_archived, load_archived


@click.command("replay")
@click.option("--classify", is_flag=True, help="Label stored events anew with the rules as they are now, instead of reading deliveries.")
@click.option("--apply", "is_applied", is_flag=True, help="With --classify: change the labels. Without it they are only compared.")
@click.option("--state", type=click.Choice(REPLAYABLE), help="Only deliveries in this state.")
@click.option("--id", "delivery_id", help="Only this delivery.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@click.option("--source", help="Only this source.")
@click.option("--from", "from_us", type=MOMENT, help="Only what was received at this moment or later.")
@click.option("--to", "to_us", type=MOMENT, help="Only what was received before this moment.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def replay_command(*, classify: bool, is_applied: bool, dry_run: bool, as_json: bool, quiet: bool, **chosen: Any) -> None:  # noqa: ANN401 - what to replay
    """Read archived deliveries once more, or label stored events anew.

    Of deliveries, those that were quarantined become events once their adapter can read them; what is known already stays
    as it is. With --classify the labels that would change are told, by old and new label; --apply changes them, and all
    that was counted by them. Both may be broken off and run again at any time: what is done already changes nothing.
    """
    _check(classify=classify, is_applied=is_applied, dry_run=dry_run, chosen=chosen)
    hopp = prepared()
    state, delivery_id = chosen.pop("state"), chosen.pop("delivery_id")
    if classify:
        relabel_events(hopp, AnswerFilter(kinds=LABELLED_KINDS, **chosen), is_applied=is_applied, as_json=as_json, quiet=quiet)
        return
    wanted = ArchiveFilter(states=(state,) if state else REPLAYABLE, delivery_id=delivery_id, **chosen)
    _replay_deliveries(hopp, wanted, is_dry_run=dry_run, as_json=as_json, quiet=quiet)


def _check(*, classify: bool, is_applied: bool, dry_run: bool, chosen: Mapping[str, Any]) -> None:
    if classify and (chosen["state"] or chosen["delivery_id"] or dry_run):
        raise click.UsageError("--classify reads events: it goes with --source, --from, --to and --apply")
    if is_applied and not classify:
        raise click.UsageError("--apply goes with --classify")
    if not classify and all(value is None for value in chosen.values()):
        raise click.UsageError("say what to replay: --state quarantined, --id, --source, --from or --to")
    if chosen["from_us"] is not None and chosen["to_us"] is not None and chosen["from_us"] >= chosen["to_us"]:
        raise click.UsageError("--from has to be before --to")


def _replay_deliveries(hopp: Hopp, wanted: ArchiveFilter, *, is_dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Replay deliveries, tell of those that change or stay quarantined, and end with 1 where one failed."""
    counts: Counter[str] = Counter()
    for item in _replayed(hopp, wanted, is_dry_run=is_dry_run, quiet=quiet):
        before, after = item.archived.outcome.state, item.now.state
        counts["deliveries"] += 1
        counts["events"] += item.events
        counts["released"] += (before, after) == (DeliveryState.QUARANTINED, DeliveryState.PROCESSED)
        counts["left"] += after == DeliveryState.QUARANTINED
        counts["failed"] += item.failure is not None
        if item.is_changed or item.failure or after == DeliveryState.QUARANTINED:
            click.echo(orjson.dumps(_as_dict(item)).decode() if as_json else _as_text(item))
    if not counts["deliveries"]:
        _tell_nothing(hopp, wanted)
    would = "would be " if is_dry_run else ""
    click.echo(
        f"replay: {counts['deliveries']} deliveries read again; {counts['events']} new events {would}kept,"
        f" {counts['released']} {would}released from quarantine, {counts['left']} stay quarantined, {counts['failed']} failed",
        err=True,
    )
    sys.exit(1 if counts["failed"] else 0)


def _tell_nothing(hopp: Hopp, wanted: ArchiveFilter) -> None:
    """A name that nothing has is a mistake; nothing in quarantine is none."""
    if wanted.delivery_id is not None:
        message = f"no archived delivery has the id {wanted.delivery_id!r} and all else that was asked for"
        raise click.ClickException(f"{message}; GET /api/v1/deliveries lists them")
    names = [source.name for source in hopp.settings.sources]
    if wanted.source is not None and wanted.source not in names:
        message = (
            f"nothing is archived of a source {wanted.source!r}{meant(wanted.source, names)}; hopp.toml has {', '.join(names) or 'none'}"
        )
        raise click.ClickException(message)


def _replayed(hopp: Hopp, wanted: ArchiveFilter, *, is_dry_run: bool, quiet: bool) -> Iterator[Replayed]:
    tools = hopp.tools()
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("replay", total=count_archived(hopp.database, wanted))
        for archived in load_archived(hopp.database, wanted):
            yield from replay(archived, tools, now_us=to_us(hopp.now()), is_dry_run=is_dry_run)
            progress.update(task, advance=len(archived))


def _as_dict(item: Replayed) -> dict[str, object]:
    delivery = item.archived.delivery
    return {
        "id": delivery.id,
        "source": delivery.source,
        "received_at": iso(to_us(delivery.received_at)),
        "state_before": item.archived.outcome.state,
        "state": item.now.state,
        "new_events": item.events,
        "problems": item.now.problem_count,
        "error": _shown(item),
        "failed": item.failure is not None,
    }


def _as_text(item: Replayed) -> str:
    delivery, before = item.archived.delivery, item.archived.outcome.state
    state = before if before == item.now.state else f"{before} -> {item.now.state}"
    line = f"{delivery.id}  {delivery.source}  {state}  {item.events} new events"
    error = _shown(item)
    return f"{line}\n    {error}" if error else line


def _shown(item: Replayed) -> str | None:
    """Why it failed or could not be read, on one line and without addresses."""
    if item.failure is not None:
        return f"Could not be replayed: {item.failure}. It stays as it was."
    return mask_text(" ".join(item.now.error.split())) if item.now.error else None
