"""Does `classify` label answers, and does its report show which rule is missing, and no address?"""

import re
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.bootstrap import build
from service.cli.main import commands
from service.cli.options import MOMENT
from service.model.events import Event
from service.model.moments import DAY_US, to_us
from service.model.words import EventKind
from service.pipeline.history import HistoricEvent, import_events
from service.pipeline.undetermined import group
from service.settings import load_settings
from service.store import schema
from service.store.replies import UnknownReply
from tests.pipeline.worlds import START, event

_OWN = """
[[rule]]
id = "acme.badge"
pattern = 'badge required'
label = "policy_block"
source = "us"
examples = ["550 5.1.1 Badge required"]
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def _classify(run: CliRunner, *options: str, given: str = "") -> Result:
    return run.invoke(commands, ["classify", *options], input=given)


def _bounced(diagnostic: str | None, recipient: str = "jane.doe@steel.example", minutes: float = 0) -> Event:
    return replace(event(recipient, kind=EventKind.BOUNCED, minutes=minutes, message=str(minutes)), diagnostic=diagnostic)


def _store(items: dict[str, list[Event]]) -> None:
    hopp = build(load_settings({}))
    schema.migrate(hopp.database)
    history = [HistoricEvent(event=item, source=source, received_at=None) for source, found in items.items() for item in found]
    import_events(history, hopp.tools(), import_id="import", now_us=to_us(START) + DAY_US)
    hopp.database.close()


def _reply(diagnostic: str) -> UnknownReply:
    return UnknownReply(
        id=0, received_us=0, source="acme", recipient=None, gateway="", diagnostic=diagnostic, smtp_code=None, enhanced_status_code=None
    )


def _rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_it_reads_answers_from_standard_input_or_a_file(run: CliRunner) -> None:
    Path("answers").write_text("550 5.1.1 User unknown\n452 4.2.2 Mailbox full\n")
    from_file = _rows(_classify(run, "--json", "answers"))
    assert [row["label"] for row in from_file] == ["invalid_recipient", "mailbox_full"]
    assert from_file == _rows(_classify(run, "--json", given=Path("answers").read_text()))


def test_own_rules_are_consulted_first_and_explained(run: CliRunner) -> None:
    Path("mine.toml").write_text(_OWN)
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')
    said = _classify(run, "--explain", given="550 5.1.1 Recipient address rejected: badge required\n").stdout
    assert said.startswith("policy_block")
    assert "mine.toml; source: us" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_OWN.replace("policy_block", "vip"), ("mine.toml", "acme.badge", "vip", "policy_block")),
        (_OWN.replace("badge required'", "gate closed'"), ("mine.toml", "acme.badge", "example")),
        ("[[rule]", ("mine.toml", "TOML")),
    ],
)
def test_a_wrong_rule_stops_with_file_rule_fault_and_mend(run: CliRunner, text: str, words: tuple[str, ...]) -> None:
    Path("mine.toml").write_text(text)
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')
    error = str(_classify(run, given="x\n").exception)
    assert [word for word in words if word not in error] == []


def test_a_rule_file_that_is_not_there_stops_with_its_name(run: CliRunner) -> None:
    Path("hopp.toml").write_text('[rules]\nfile = "nowhere.toml"\n')
    assert "nowhere.toml" in str(_classify(run, given="x\n").exception)


def test_a_rule_file_that_is_no_text_stops_with_its_name(run: CliRunner) -> None:
    Path("mine.toml").write_bytes(b"\xff")
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')
    assert "mine.toml: cannot be read" in str(_classify(run, given="x\n").exception)


def test_the_report_groups_by_wording_and_counts(run: CliRunner) -> None:
    _store(
        {
            "acme": [
                _bounced("the zorb is frobnicated, ticket 881234"),
                _bounced("The zorb is frobnicated, ticket 991234", minutes=60),
                _bounced("550 5.1.1 User unknown", minutes=61),
                _bounced(None, minutes=62),
            ],
            "other": [_bounced("the zorb is frobnicated, ticket 771234", minutes=30)],
        }
    )
    first, second = _rows(_classify(run, "--report", "--json"))
    assert first == {
        "count": 3,
        "wording": "the zorb is frobnicated, ticket #",
        "pattern": r"the zorb is frobnicated, ticket \S+",
        "first_seen": "2026-03-02T08:00:00Z",
        "last_seen": "2026-03-02T09:00:00Z",
        "sources": ["acme", "other"],
        "gateways": [],
        "example": "the zorb is frobnicated, ticket 881234",
    }
    assert (second["wording"], second["pattern"], second["example"]) == ("(no text)", None, "")


def test_small_numbers_do_not_part_a_wording_and_codes_do() -> None:
    said = [f"{code} zorb {number} of 12 at 10.0.0.1" for code in ("550 5.7.1", "451 4.7.1") for number in (3, 77, 123)]
    found = group(_reply(text) for text in said)
    assert [item.wording for item in found.ranked(9)] == ["451 4.7.1 zorb # of # at #", "550 5.7.1 zorb # of # at #"]


def test_the_report_can_be_narrowed(run: CliRunner) -> None:
    _store({"acme": [_bounced("zorb"), _bounced("quux", minutes=60)], "other": [_bounced("zorb", minutes=61)]})
    assert [row["wording"] for row in _rows(_classify(run, "--report", "--json", "--source", "acme"))] == ["quux", "zorb"]
    assert [row["count"] for row in _rows(_classify(run, "--report", "--json", "--since", "2026-03-02T09:00:00Z"))] == [1, 1]
    cut = _classify(run, "--report", "--limit", "1")
    assert "the 1 most frequent are shown" in cut.stderr
    assert cut.stdout.startswith("2   zorb\n")


def test_the_report_shows_no_address(run: CliRunner) -> None:
    _store({"acme": [_bounced("zorb for <jane.doe@steel.example> (jane.doe)"), _bounced("zorb for jane.doe", minutes=1)]})
    for options in ((), ("--json",)):
        said = _classify(run, "--report", *options).output
        assert "zorb for" in said
        assert re.findall(r"jane|doe@", said) == []


def test_the_next_rule_is_the_pattern_and_the_example(run: CliRunner) -> None:
    """What the report prints is a rule but for its name and its label."""
    _store({"acme": [_bounced('"Zorb" (jane.doe) is [frobnicated]! 100% + ticket AB-881234', minutes=number) for number in range(3)]})
    (found,) = _rows(_classify(run, "--report", "--json"))
    Path("mine.toml").write_text(
        "[[rule]]\nid = 'acme.zorb'\nsource = 'us'\nlabel = 'policy_block'\n"
        f"pattern = '{found['pattern']}'\nexamples = ['{found['example']}']\n"
    )
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')
    (labelled,) = _rows(_classify(run, "--json", given='"zorb" (bert) is [frobnicated]! 100% + ticket ZZ-4711999\n'))
    assert labelled["rule"] == "acme.zorb"


@pytest.mark.parametrize("said", ["450 nix", "Nix!", "zorb 12 34"])
def test_a_pattern_of_few_letters_takes_its_own_wording_and_no_other(run: CliRunner, said: str) -> None:
    _store({"acme": [_bounced(said)]})
    (found,) = _rows(_classify(run, "--report", "--json"))
    pattern, example = found["pattern"], found["example"]
    Path("mine.toml").write_text(
        f"[[rule]]\nid = 'acme.nix'\nsource = 'us'\nlabel = 'policy_block'\npattern = '{pattern}'\nexamples = ['{example}']\n"
    )
    Path("hopp.toml").write_text('[rules]\nfile = "mine.toml"\n')
    own, other = _rows(_classify(run, "--json", given=f"{said}\n{said} of the quux\n"))
    assert (own["rule"], other["rule"] == "acme.nix") == ("acme.nix", False)


@pytest.mark.parametrize(
    "options",
    [("--since", "2026-01-01"), ("--limit", "3"), ("--report", "--explain"), ("--report", "--since", "soon"), ("--report", "hopp.toml")],
)
def test_options_that_do_not_go_together_are_refused(run: CliRunner, options: tuple[str, ...]) -> None:
    Path("hopp.toml").touch()
    assert _classify(run, *options).exit_code == 2


def test_rare_wordings_are_left_out_and_counted_where_there_are_too_many() -> None:
    words = ["".join(chr(97 + int(digit)) for digit in f"{number:03}") for number in range(100)]
    replies = [_reply(text) for word in words for text in ("zorb", word)]
    found = group(replies, keep=10)
    assert (found.replies, found.ranked(1)[0].count) == (200, 100)
    assert len(found.kept) <= 10
    assert found.too_rare + sum(item.count for item in found.kept.values()) == 200


def test_a_moment_without_an_offset_is_utc() -> None:
    assert MOMENT.convert("2026-03-02T08:00", None, None) == MOMENT.convert("2026-03-02T09:00+01:00", None, None) == to_us(START)


def test_the_page_on_own_rules_works_as_it_is_written(run: CliRunner) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-rules.md").read_text(encoding="utf-8")
    setting, rules = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[:2]
    (named,) = re.findall(r'"(.+)"', setting)
    Path(named).parent.mkdir()
    Path(named).write_text(rules)
    Path("hopp.toml").write_text(setting)
    (row,) = _rows(_classify(run, "--json", given="550 5.1.1 <jo@example.com> Badge required at this door\n"))
    assert row["rule"] == "acme.badge"
