"""The command that looks at an installation and says what is missing."""

import sys
from collections.abc import Iterable, Iterator

import click
import orjson

from service.bootstrap import build
from service.cli.checkup import examine
from service.cli.findings import Finding, State, fail
from service.cli.local import own_url
from service.model.errors import HoppError
from service.outbound.service_client import ServiceClient
from service.settings import SettingsError, settings_from_process

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
_WEB_SECONDS = 5.0


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: state, what, found, next.")
@click.option("--url", help="Address of the running web; HOPP_BIND by default.")
def doctor_command(*, as_json: bool, url: str | None) -> None:
    """Print what is configured, what can be reached and what is missing, with what to do next. Changes nothing.

    Ends with 1 where anything failed; warnings alone end with 0.
    """
    findings = _printed(_findings(url), as_json=as_json)
    sys.exit(1 if any(finding.state is State.FAIL for finding in findings) else 0)


def _findings(url: str | None) -> Iterator[Finding]:
    try:
        hopp = build(settings_from_process())
    except (HoppError, SettingsError) as error:
        yield fail("settings", str(error), "Correct it, then ask again: nothing else was looked at.")
        return
    try:
        with ServiceClient(url or own_url(hopp.settings.bind), timeout_seconds=_WEB_SECONDS) as client:
            yield from examine(hopp, client)
    finally:
        hopp.inbox.close()
        hopp.database.close()


def _printed(findings: Iterable[Finding], *, as_json: bool) -> list[Finding]:
    seen = []
    for finding in findings:
        click.echo(_as_json(finding) if as_json else _as_text(finding))
        seen.append(finding)
    return seen


def _as_json(finding: Finding) -> str:
    values = {"state": finding.state, "what": finding.what, "found": finding.found, "next": finding.next_step or None}
    return orjson.dumps(values).decode()


def _as_text(finding: Finding) -> str:
    state = click.style(f"{finding.state:<4}", fg=_COLOURS[finding.state])
    line = f"{state}  {finding.what:<22} {finding.found}"
    return f"{line}\n{'':<6}{'':<22}   next: {finding.next_step}" if finding.next_step else line
