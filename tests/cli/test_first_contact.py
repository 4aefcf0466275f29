"""Does what goes wrong at first contact end as one line that says what happened, to what, and what to do next?"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service import VERSION
from service.cli.main import commands, main
from service.model.errors import HoppError
from service.settings import SettingsError, load_settings
from service.store import schema

Run = Callable[..., Result]

_UNSET = '[[source]]\nname = "a"\nesp = "sendgrid"\nsecrets = ["env:NOT_SET_ANYWHERE"]\n[rules]\nfile = "mine.toml"\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, stdin="": CliRunner().invoke(commands, arguments, input=stdin)


def error_of(result: Result) -> str:
    """What main would print; any error that is not ours would be a traceback."""
    assert isinstance(result.exception, HoppError | SettingsError), result.exception
    return str(result.exception)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///text", r"does not answer \(file is not a database\)\. Check that HOPP_DATABASE names a SQLite file"),
        ("sqlite:///{}", r"unable to open database file"),
        ("sqlite:////dev/null/x/y.sqlite", r"Not a directory"),
        ("postgresql://u@127.0.0.1:9/x", r"Connection refused\)\. Check that it runs"),
    ],
)
@pytest.mark.parametrize("command", [("migrate",), ("token", "new", "--role", "reader", "--name", "me")])
def test_a_database_that_cannot_be_opened_is_named_with_the_reason(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, says: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "text").write_text("this is no database, however long it may be read")
    monkeypatch.setenv("HOPP_DATABASE", url.format(tmp_path))
    monkeypatch.setenv("HOPP_INBOX", f"sqlite:///{tmp_path}/inbox.sqlite")
    result = run(*command)
    with pytest.raises(HoppError, match=says):
        raise result.exception or AssertionError


def test_a_database_of_a_newer_program_is_left_alone(run: Run, tmp_path: Path) -> None:
    run("migrate")
    connection = sqlite3.connect(tmp_path / "var/hopp.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    for command in (("migrate",), ("migrate", "--to", "0001", "--yes-delete-everything")):
        assert "revision 9999, which this program does not know" in error_of(run(*command))
    found = next(line for line in run("doctor", "--json").stdout.splitlines() if '"what":"schema"' in line)
    assert "put back the backup" in found


def test_a_revision_that_does_not_exist_is_answered_with_those_that_do(run: Run) -> None:
    assert "There is no revision '0777'. Known: base, 0001, " in error_of(run("migrate", "--to", "0777"))


def test_going_down_asks_first(run: Run) -> None:
    head = schema.head_revision()
    assert run("migrate").stdout.endswith(f"empty -> {head}\n")
    asked = run("migrate", "--to", "base")
    assert (asked.exit_code, "deletes from" in asked.stderr, "--yes-delete-everything" in asked.stderr) == (1, True, True)
    assert run("migrate").stdout.endswith(f"at {head} already, nothing to do\n")
    assert run("migrate", "--to", "base", "--yes-delete-everything").stdout.endswith(f"{head} -> empty\n")


def test_a_secret_that_is_set_elsewhere_stops_only_what_needs_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text(_UNSET)
    payload = '[{"event": "delivered", "email": "jo@example.com", "timestamp": 1767225600}]'
    assert run("token", "new", "--role", "reader", "--name", "me").exit_code == 0
    assert run("parse", "--esp", "sendgrid", stdin=payload).exit_code == 0
    assert run("migrate").exit_code == 0
    assert "secret 'env:NOT_SET_ANYWHERE': the variable NOT_SET_ANYWHERE is not set" in error_of(run("worker"))
    assert "mine.toml: cannot be read" in error_of(run("classify", stdin="550 no\n"))


def test_paths_in_the_file_start_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "mine.toml"
    path.write_text('[[source]]\nname = "a"\nesp = "brevo"\nauth = "token"\nsecrets = ["file:key"]\n[rules]\nfile = "rules.toml"\n')
    variables = {"HOPP_CONFIG": str(path)}
    with pytest.raises(SettingsError, match=r"cannot be read from .*/etc/key\. Create that file"):
        load_settings(variables, tmp_path)
    (folder / "key").write_text("s3cret\n")
    with pytest.raises(SettingsError, match=r"there is no file .*/etc/rules\.toml"):
        load_settings(variables, tmp_path)
    (folder / "rules.toml").write_text("")
    settings = load_settings(variables, tmp_path)
    assert (settings.sources[0].secrets, settings.own_rules) == (("s3cret",), folder / "rules.toml")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"HOPP_DATABASE": "postgresql://hopp:p@ss@db.example/hopp"}, r"more than one @.*%40"),
        ({"HOPP_DATABASE": "postgresql://hopp@db.example:many/hopp"}, "neither"),
        ({"HOPP_CONFIG": "."}, "this is a folder"),
        ({"HOPP_CONFIG": "none.toml"}, "there is no such file"),
    ],
)
def test_a_wrong_variable_names_itself_and_the_mend(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        load_settings(variables, tmp_path)
    assert str(caught.value).startswith("HOPP_")
    assert "ss@db" not in str(caught.value), "no part of a password is shown"


@pytest.mark.parametrize("user", ["hopp:a/b?c#d:e", "hopp:p%40ss", "hopp"])
def test_a_password_may_hold_what_ends_no_password(tmp_path: Path, user: str) -> None:
    url = f"postgresql://{user}@db.example:5432/hopp?options=a@b"
    assert load_settings({"HOPP_DATABASE": url}, tmp_path).database == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[policy.alert]\nk_min = "5"', r"\[policy\.alert\]: k_min has to be a number, without quotes"),
        ("[policy]\nk_min = 5", r"policy\.k_min: this is no threshold"),
        ("[policy", r"hopp\.toml is not valid TOML: .*\. Correct that line"),
    ],
)
def test_a_wrong_line_of_the_file_names_its_key(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "hopp.toml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        load_settings({}, tmp_path)


def test_asking_for_tokens_makes_no_database(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPP_DATABASE", f"sqlite:///{tmp_path}/mis/typed.sqlite")
    for command in (("list",), ("revoke", "--name", "me")):
        result = run("token", *command)
        assert (result.exit_code, "typed.sqlite yet. Start Hopp" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("bind", "says"),
    [("192.0.2.1:8137", "this machine has no such address"), ("nosuch.host.invalid:8137", "there is no host of this name")],
)
def test_an_address_of_another_machine_is_not_called_taken(run: Run, monkeypatch: pytest.MonkeyPatch, bind: str, says: str) -> None:
    monkeypatch.setenv("HOPP_BIND", bind)
    result = run("serve")
    assert (result.exit_code, says in result.stderr, "somebody" in result.stderr) == (1, True, False)


def test_an_esp_that_is_mistyped_is_guessed(run: Run, tmp_path: Path) -> None:
    assert "'sendgird' (did you mean sendgrid?)" in run("parse", "--esp", "sendgird").stderr
    (tmp_path / "hopp.toml").write_text('[[source]]\nname = "a"\nesp = "mailgunn"')
    assert "'mailgunn' (did you mean mailgun?)" in error_of(run("sources"))


def test_replaying_what_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text('[[source]]\nname = "acme"\nesp = "brevo"\nauth = "token"\n')
    unknown = run("replay", "--quiet", "--id", "nope"), run("replay", "--quiet", "--source", "acmee")
    assert [result.exit_code for result in unknown] == [1, 1]
    assert "no archived delivery has the id 'nope'" in unknown[0].stderr
    assert "nothing is archived of a source 'acmee' (did you mean acme?)" in unknown[1].stderr
    assert run("replay", "--quiet", "--source", "acme").exit_code == 0


def test_every_error_begins_with_the_same_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["token", "list"], ["migrate", "--to", "0777"], ["parse", "--esp", "nomail"], ["nothing"]):
        monkeypatch.setattr(sys, "argv", ["hopp", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in {1, 2}
        assert capsys.readouterr().err.splitlines()[-1].startswith("hopp: ")


def test_the_version_and_the_help_are_there() -> None:
    line = [sys.executable, "-m", "service"]
    version, help_ = (
        subprocess.run([*line, *more], capture_output=True, text=True, check=False, timeout=60) for more in (["--version"], [])
    )
    assert (version.returncode, version.stdout) == (0, f"Hopp {VERSION}\n")
    assert "send-sample" in help_.stderr
