"""The commands about history: import it from a file, and see what would have fired."""

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import click
import orjson

from service.alerting.policy import Policy, PolicyError, policy_from
from service.bootstrap import Hopp
from service.cli.options import MOMENT
from service.cli.progress import progress_bar
from service.cli.running import prepared
from service.esp.generic import event_of_line
from service.esp_kit import jsontext
from service.esp_kit.dates import moment_of
from service.model.errors import UnreadableError
from service.model.events import Problem
from service.model.moments import FILED_AHEAD_US, iso, to_us
from service.model.words import EventKind
from service.pipeline.backtest import Backtest, Transition
from service.pipeline.history import HistoricEvent, import_events
from service.store.timeline import count_attempts, load_timeline

_LINES_AT_ONCE = 2_000
_SHOWN_PROBLEMS = 20
_OF_ONE_MAIL = frozenset(
    {
        EventKind.QUEUED,
        EventKind.SENT,
        EventKind.DEFERRED,
        EventKind.DELIVERED,
        EventKind.BOUNCED,
        EventKind.REJECTED,
        EventKind.FAILED,
    }
)
_NAME_LENGTH = 100
_NAME_RULE = f"at most {_NAME_LENGTH} printable characters"
_COLUMNS = (
    "at", "domain", "gateway", "state", "severity", "cause", "attempts", "reported_hard", "believed_hard", "rate", "baseline",
    "threshold", "incident",
)  # fmt: skip


def _is_name(text: str) -> bool:
    """History may name sources that no URL could, but nothing that a metric or a log line cannot show."""
    return 0 < len(text) <= _NAME_LENGTH and text.isprintable()


def _source_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _is_name(value):
        message = f"{value!r} is no name: {_NAME_RULE}"
        raise click.BadParameter(message)
    return value


@click.command("import")
@click.option(
    "--source", "default_source", default="import", show_default=True, callback=_source_name, help="Source of lines that name none."
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.argument("file", type=click.File("rb"))
def import_command(default_source: str, *, quiet: bool, file: BinaryIO) -> None:
    """Import history: one JSON object a line, with the keys that `parse` prints, and `source` and `received_at` where known.

    A line that cannot be read is named on standard error and costs no other line; the exit code is then 1. Importing a file
    again changes nothing.
    """
    hopp = prepared()
    tools, import_id = hopp.tools(), f"import{uuid4().hex[:26]}"
    events = duplicates = refused = ahead = 0
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("importing", total=_size(file))
        for first_number, lines in _chunks(file):
            history, problems = _read(lines, first_number, default_source)
            for text in problems[: max(0, _SHOWN_PROBLEMS - refused)]:
                click.echo(f"import: {text}", err=True)
            refused += len(problems)
            now_us = to_us(hopp.now())
            ahead += sum(item.event.occurred_at is not None and to_us(item.event.occurred_at) > now_us + FILED_AHEAD_US for item in history)
            done = import_events(history, tools, import_id=import_id, now_us=now_us)
            events, duplicates = events + done.events, duplicates + done.duplicates
            progress.update(task, advance=sum(map(len, lines)))
    if ahead:
        click.echo(f"import: lines with an occurred_at in the future: {ahead}; they count as of their receipt, or as of now", err=True)
    click.echo(f"imported: {events} new events; there before: {duplicates}; lines refused: {refused}", err=True)
    sys.exit(1 if refused else 0)


def _size(file: BinaryIO) -> int | None:
    """Bytes of the file, for the bar; None for a pipe."""
    try:
        return Path(file.name).stat().st_size or None
    except (AttributeError, OSError, TypeError):
        return None


def _chunks(file: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    chunk: list[bytes] = []
    first_number = 1
    for number, line in enumerate(file, start=1):
        chunk.append(line)
        if len(chunk) == _LINES_AT_ONCE:
            yield first_number, chunk
            chunk, first_number = [], number + 1
    if chunk:
        yield first_number, chunk


def _read(lines: list[bytes], first_number: int, default_source: str) -> tuple[list[HistoricEvent], list[str]]:
    history, problems = [], []
    for number, line in enumerate(lines, start=first_number):
        if not line.strip():
            continue
        read = _read_line(line, default_source)
        if isinstance(read, Problem):
            problems.append(f"line {number}: {read.error} {read.fragment}".rstrip())
        else:
            history.append(read)
    return history, problems


def _read_line(line: bytes, default_source: str) -> HistoricEvent | Problem:
    try:
        item = jsontext.load_object(line)
    except UnreadableError as error:
        return Problem(error=str(error))
    event = event_of_line(item)
    if isinstance(event, Problem):
        return event
    if event.recipient is None and event.kind in _OF_ONE_MAIL:
        return Problem(error=f"the event has no recipient: {event.kind} is counted by the recipient's domain")
    written = item.get("received_at")
    received_at = None if written is None else moment_of(written)
    if written is not None and received_at is None:
        return Problem(error="received_at is not a time between 2000 and 2099")
    source = jsontext.text(item, "source") or default_source
    if not _is_name(source):
        return Problem(error=f"source is no name: {_NAME_RULE}")
    return HistoricEvent(event=event, source=source, received_at=received_at)


@click.command("backtest")
@click.option("--from", "from_us", required=True, type=MOMENT, help="First moment to report, ISO 8601; what came before still teaches.")
@click.option("--to", "until_us", required=True, type=MOMENT, help="Moment to end at, ISO 8601.")
@click.option("--policy", "policy_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML with [policy.…] to try.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of columns divided by tabs.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def backtest_command(*, from_us: int, until_us: int, policy_file: Path | None, as_json: bool, quiet: bool) -> None:
    """Run the stored history through the alert decision on a virtual clock and print each transition."""
    if from_us >= until_us:
        message = f"--from {iso(from_us)} has to be before --to {iso(until_us)}"
        raise click.UsageError(message)
    hopp = prepared()
    policy = _policy(policy_file) if policy_file else hopp.policy
    if not as_json:
        click.echo("\t".join(_COLUMNS))
    attempts = _count_attempts(hopp, until_us)
    shown = 0
    for transition in _transitions(hopp, policy, until_us, total=attempts, quiet=quiet):
        if transition.at_us < from_us:
            continue
        shown += 1
        values = _values(transition)
        click.echo(orjson.dumps(values).decode() if as_json else "\t".join("" if v is None else str(v) for v in values.values()))
    click.echo(_summary(attempts, shown, from_us, until_us), err=True)


def _summary(attempts: int, shown: int, from_us: int, until_us: int) -> str:
    if not attempts:
        return f"backtest: nothing was received before {iso(until_us)}. Bring history in first: python -m service import FILE"
    found = f"{shown} transition{'s' if shown > 1 else ''}" if shown else "no alert would have opened or closed"
    return f"backtest: {found} between {iso(from_us)} and {iso(until_us)}, from a history of {attempts} counted events"


def _count_attempts(hopp: Hopp, until_us: int) -> int:
    with hopp.database.read() as connection:
        return count_attempts(connection, until_us)


def _transitions(hopp: Hopp, policy: Policy, until_us: int, *, total: int, quiet: bool) -> Iterator[Transition]:
    with hopp.database.read() as connection, progress_bar(quiet=quiet) as progress:
        timeline = load_timeline(connection, until_us)
        task = progress.add_task("backtest", total=total)
        backtest = Backtest(policy, hopp.labels().domains)
        yield from backtest.run(progress.track(timeline, task_id=task), until_us)


def _values(transition: Transition) -> dict[str, Any]:
    """A transition under the names that `backtest` promises; what nobody judged yet is null."""
    alert = transition.alert
    decision, counts = alert.finding.decision, alert.finding.decision.counts
    has_rate = alert.finding.rate_known and counts.n > 0
    values = {
        "at": iso(transition.at_us),
        "domain": alert.domain,
        "state": alert.state,
        "severity": alert.severity,
        "attempts": counts.n if has_rate else None,
        "reported_hard": counts.k,
        "rate": round(counts.rate, 6) if has_rate else None,
        "baseline": round(decision.expected / counts.n, 6) if has_rate else None,
        "threshold": decision.threshold if has_rate else None,
    }
    return {name: values.get(name) for name in _COLUMNS}


def _policy(path: Path) -> Policy:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return policy_from(document.get("policy", document))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, PolicyError, AttributeError) as error:
        message = f"{path}: {error}"
        raise click.ClickException(message) from error
