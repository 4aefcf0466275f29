"""What does `replay --classify` print?"""

import click
import orjson

from service.bootstrap import Hopp
from service.cli.progress import progress_bar
from service.model.moments import iso, to_us
from service.pipeline.label_changes import LabelChange, LabelChanges
from service.pipeline.relabel import LABELLED_KINDS, apply_changes, find_changes
from service.store.answers import AnswerFilter, count_answers, find_rules, load_answers, note_replayed

_EVERYTHING = AnswerFilter(kinds=LABELLED_KINDS)


def relabel_events(hopp: Hopp, wanted: AnswerFilter, *, is_applied: bool, as_json: bool, quiet: bool) -> None:
    """Label stored events anew, and tell what changes; only where it `is_applied` anything is written."""
    tools = hopp.tools()
    version = tools.labels.classifier.ruleset.version
    changes = LabelChanges()
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("replay", total=count_answers(hopp.database, wanted))
        for stored in load_answers(hopp.database, wanted):
            found = find_changes(stored, tools.labels)
            if is_applied:
                apply_changes(found, tools, now_us=to_us(hopp.now()))
            changes.add(len(stored), found)
            progress.update(task, advance=len(stored))
    for change in changes.ranked():
        click.echo(orjson.dumps(_as_dict(change)).decode() if as_json else _as_text(change))
    click.echo(f"replay: {_summary(hopp, changes, version, is_applied=is_applied)}", err=True)
    if is_applied and wanted == _EVERYTHING:
        with hopp.database.write() as connection:
            note_replayed(connection, version, to_us(hopp.now()))


def _as_dict(change: LabelChange) -> dict[str, object]:
    return {
        "before": change.before,
        "after": change.after,
        "count": change.count,
        "becomes_hard": change.becomes_hard,
        "no_longer_hard": change.no_longer_hard,
        "wordings": [{"wording": words, "count": count} for words, count in change.top_wordings()],
    }


def _as_text(change: LabelChange) -> str:
    what = f"{change.before} -> {change.after}" if change.before != change.after else f"{change.before}, by another rule or otherwise read"
    notes = [
        f"{count} {words}"
        for count, words in ((change.becomes_hard, "become hard bounces"), (change.no_longer_hard, "are hard bounces no longer"))
        if count
    ]
    lines = [f"{change.count}   {what}{'   (' + ', '.join(notes) + ')' if notes else ''}"]
    return "\n".join([*lines, *(f"    {count}   {words or '(no text)'}" for words, count in change.top_wordings())])


def _summary(hopp: Hopp, changes: LabelChanges, version: str, *, is_applied: bool) -> str:
    with hopp.database.read() as connection:
        known = find_rules(connection, version)
    since = f"in use since {iso(known[0])}" if known else "no worker has used them yet"
    did = "changed" if is_applied else "would change"
    told = f"{changes.read} events read with rules {version} ({since}), {changes.changed} {did}"
    return told if is_applied or not changes.changed else f"{told}. Change them: the same command with --apply"
