"""The command that labels answers, and lists those that no rule knows."""

import sys
from typing import Any, BinaryIO

import click
import orjson

from service.bootstrap import Hopp, build
from service.classify.explanation import Explanation
from service.classify.reply import Reply
from service.cli.options import MOMENT
from service.model.events import Classification
from service.model.moments import iso
from service.model.words import Label
from service.pipeline.undetermined import UnknownWording, UnknownWordings, group
from service.settings import settings_for_command
from service.store import schema
from service.store.replies import load_undetermined

_ANSWER = ("label", "group", "persistence", "doubt", "rule", "vendor", "evidence")
_RULES_PAGE = "docs/own-rules.md"
_SHOWN = 50


@click.command("classify")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.option("--explain", is_flag=True, help="Show every rule that matched, the winner and why.")
@click.option("--report", is_flag=True, help="List the stored answers that no rule knows, most frequent wording first.")
@click.option("--since", "since_us", type=MOMENT, help="With --report: only what was received at this moment or later.")
@click.option("--source", help="With --report: only this source.")
@click.option("--limit", type=click.IntRange(1, 10_000), help=f"With --report: so many wordings; {_SHOWN} by default.")
@click.argument("file", type=click.File("rb"), required=False)
def classify_command(file: BinaryIO | None, *, as_json: bool, explain: bool, report: bool, **chosen: Any) -> None:  # noqa: ANN401 - what only --report takes
    """Label diagnostics, one a line, of FILE or of standard input: label group persistence doubt rule vendor evidence.

    With --report nothing is read but the stored events.
    """
    hopp = build(settings_for_command())
    if report:
        if explain or file is not None:
            raise click.UsageError("--report reads the stored events: it goes neither with --explain nor with a file")
        _report(hopp, **chosen, as_json=as_json)
        return
    if any(value is not None for value in chosen.values()):
        raise click.UsageError("--since, --source and --limit go with --report")
    classifier = hopp.labels().classifier
    for line in file or sys.stdin.buffer:
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
        click.echo(f"No rule knows this wording. A rule of your own can: {_RULES_PAGE}")


def _report(hopp: Hopp, *, since_us: int | None, source: str | None, limit: int | None, as_json: bool) -> None:
    schema.check(hopp.database)
    limit = limit or _SHOWN
    found = group(load_undetermined(hopp.database, since_us=since_us or 0, source=source))
    for item in found.ranked(limit):
        click.echo(orjson.dumps(_as_dict(item)).decode() if as_json else _as_text(item))
    click.echo(f"classify: {_summary(found, limit)}", err=True)


def _as_dict(item: UnknownWording) -> dict[str, object]:
    return {
        "count": item.count,
        "wording": item.wording,
        "pattern": item.pattern,
        "first_seen": iso(item.first_us),
        "last_seen": iso(item.last_us),
        "sources": sorted(item.sources),
        "gateways": sorted(item.gateways),
        "example": item.example,
    }


def _as_text(item: UnknownWording) -> str:
    where = ", ".join(sorted(item.sources) + [f"gateway {gateway}" for gateway in sorted(item.gateways)])
    lines = [
        f"{item.count}   {item.wording}",
        f"    {iso(item.first_us)} to {iso(item.last_us)}   {where}",
        f"    example   {item.example or '(empty)'}",
    ]
    lines += [f"    pattern   {item.pattern}"] if item.pattern else []
    return "\n".join(lines)


def _summary(found: UnknownWordings, limit: int) -> str:
    told = f"{found.replies} undetermined answers, {len(found.kept)} wordings"
    if len(found.kept) > limit:
        told += f", the {limit} most frequent are shown"
    if found.too_rare:
        told += f"; {found.too_rare} more answers have wordings too rare to keep apart"
    return f"{told}. How to write a rule: {_RULES_PAGE}" if found.replies else told
