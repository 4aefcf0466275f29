"""Do `import` and `backtest` say what they did, and refuse what they cannot read, line by line?"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import commands
from tests.pipeline.worlds import START

_DAY = ("--from", START.date().isoformat(), "--to", (START + timedelta(days=1)).date().isoformat())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def _line(number: int, **values: object) -> bytes:
    at = (START + timedelta(seconds=number)).isoformat()
    known = {"kind": "delivered", "recipient": f"p{number}@steel.example", "message_id": f"m{number}", "occurred_at": at, "received_at": at}
    return orjson.dumps(known | values)


def _block() -> list[bytes]:
    """Twenty people of a company who took mail for an hour, and then fifteen of them refuse it."""
    kept = [_line(number) for number in range(20)]
    refusal = {"kind": "bounced", "reported_type": "hard", "diagnostic": "550 5.1.1 User unknown"}
    later = START + timedelta(hours=1)
    refused = [
        _line(number, message_id=f"n{number}", occurred_at=later.isoformat(), received_at=later.isoformat(), **refusal)
        for number in range(15)
    ]
    return kept + refused


def _import(run: CliRunner, lines: Iterable[bytes], *options: str) -> Result:
    Path("history.jsonl").write_bytes(b"\n".join(lines))
    return run.invoke(commands, ["import", "--quiet", "history.jsonl", *options])


def _backtest(run: CliRunner, *options: str) -> Result:
    return run.invoke(commands, ["backtest", "--quiet", *_DAY, *options])


def test_importing_again_changes_nothing(run: CliRunner) -> None:
    lines = [_line(1), _line(2)]
    assert _import(run, lines).stderr.splitlines()[-1] == "imported: 2 new events; there before: 0; lines refused: 0"
    assert _import(run, lines).stderr.splitlines()[-1] == "imported: 0 new events; there before: 2; lines refused: 0"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"kind": "delivered"', "line 2:"),
        (_line(9, received_at="soon"), "line 2: received_at is not a time between 2000 and 2099"),
        (_line(9, source="a\nb"), "line 2: source is no name: at most 100 printable characters"),
        (_line(9, source="s" * 101), "line 2: source is no name: at most 100 printable characters"),
        (_line(9, recipient="nobody"), "line 2:"),
        (_line(9, kind="bounced", recipient=None), "line 2: the event has no recipient: bounced is counted by the recipient's domain"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_costs_no_other(run: CliRunner, line: bytes, why: str) -> None:
    result = _import(run, [_line(1), line, _line(3)])
    assert result.exit_code == 1
    assert why in result.stderr
    assert result.stderr.splitlines()[-1] == "imported: 2 new events; there before: 0; lines refused: 1"


def test_lines_of_the_future_are_counted_and_said(run: CliRunner) -> None:
    result = _import(run, [_line(1), _line(2, occurred_at="2098-01-01T00:00:00Z")])
    assert "import: lines with an occurred_at in the future: 1;" in result.stderr
    assert (result.exit_code, result.stderr.splitlines()[-1].startswith("imported: 2")) == (0, True)


def test_a_line_about_no_mail_needs_no_recipient(run: CliRunner) -> None:
    assert _import(run, [_line(1, kind="other", recipient=None)]).exit_code == 0


def test_a_name_that_nothing_could_show_is_refused_at_once(run: CliRunner) -> None:
    result = _import(run, [_line(1)], "--source", "a\tb")
    assert result.exit_code == 2
    assert "printable" in result.stderr


def test_a_backtest_prints_each_transition(run: CliRunner) -> None:
    assert _import(run, _block()).exit_code == 0
    result = _backtest(run, "--json")
    found = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [(item["domain"], item["state"], item["reported_hard"]) for item in found] == [("steel.example", "firing", 15)]
    assert "1 transition between" in result.stderr


def test_a_backtest_of_quiet_days_says_so(run: CliRunner) -> None:
    _import(run, [_line(1), _line(2)])
    result = _backtest(run)
    assert result.stdout.startswith("at\tdomain")
    assert "no alert would have opened or closed" in result.stderr
    assert "from a history of 2 counted events" in result.stderr


def test_a_backtest_of_nothing_says_what_to_do(run: CliRunner) -> None:
    result = _backtest(run)
    assert result.exit_code == 0
    assert "python -m service import FILE" in result.stderr


def test_a_backtest_that_ends_before_it_begins_is_refused(run: CliRunner) -> None:
    result = run.invoke(commands, ["backtest", "--from", "2026-02-01", "--to", "2026-01-01"])
    assert result.exit_code == 2
    assert "has to be before" in result.stderr


def test_a_token_may_be_made_before_the_first_start(run: CliRunner) -> None:
    made = run.invoke(commands, ["token", "new", "--role", "reader", "--name", "board"])
    assert made.exit_code == 0, made.output
    assert "board" in run.invoke(commands, ["token", "list"]).stdout
