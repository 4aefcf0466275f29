"""Are samples of every ESP taken by a running server that holds the secret, and is it said what is missing where one is not?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from service.bootstrap import build
from service.cli.first_start import write_demo_config
from service.cli.samples.command import send_sample_command
from service.cli.samples.load import load_samples
from service.cli.samples.signing import SampleError
from service.esp import adapters
from service.settings import SettingsError, load_settings
from service.store import schema
from service.web.app import create_app

ESPS = list(adapters())
CERTIFIED = ("ses", "scaleway")
TEST = "test = true"

Send = Callable[..., Result]


@pytest.fixture
def send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Send:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPP_DATABASE", f"sqlite:///{tmp_path}/var/hopp.sqlite")
    return lambda *arguments: CliRunner().invoke(send_sample_command, arguments)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The web of the hopp.toml in this folder."""
    hopp = build(load_settings({"HOPP_DATABASE": f"sqlite:///{folder}/var/hopp.sqlite"}, folder))
    schema.migrate(hopp.database)
    hopp.inbox.prepare()
    server = make_server("127.0.0.1", 0, create_app(hopp))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        hopp.inbox.close()
        hopp.database.close()


def wanted(result: Result) -> str:
    """The entry for hopp.toml that was printed."""
    return "[[source]]" + result.stderr.partition("[[source]]")[2].partition("\n\n")[0]


def kinds_of(esp: str) -> set[str]:
    return {kind for sample in load_samples(esp) if sample.is_sound for kind in sample.kinds}


@pytest.mark.parametrize("esp", ESPS)
def test_a_sample_of_each_kind_is_taken_by_the_source_that_was_asked_for(send: Send, tmp_path: Path, esp: str) -> None:
    first = send("--esp", esp)
    assert (first.exit_code, first.stdout) == (1, "")
    assert TEST in wanted(first)
    (tmp_path / "hopp.toml").write_text(wanted(first))
    with served(tmp_path) as url:
        second = send("--esp", esp, "--url", url)
    assert (second.exit_code, {line.split()[0] for line in second.stdout.splitlines()}) == (0, {"200"})
    assert {kind for line in second.stdout.splitlines() for kind in line[56:].split(", ")} == kinds_of(esp)
    assert f"made-up mail goes to sample-{esp}\n" in second.stderr
    assert ('auth = "basic"' in wanted(first)) or esp not in CERTIFIED, "its certificate is at the ESP's own host, and ours is not"


@pytest.mark.parametrize("esp", CERTIFIED)
def test_a_source_that_only_the_esp_can_sign_for_gets_no_sample(send: Send, tmp_path: Path, esp: str) -> None:
    keys = adapters()[esp].signer.make_keys(bytes(32))
    (tmp_path / "ca.pem").write_text("".join(keys.trust.secrets))
    secrets = 'secrets = ["file:ca.pem"]\n' if keys.trust.secrets else ""
    (tmp_path / "hopp.toml").write_text(f'[[source]]\nname = "live"\nesp = "{esp}"\n{secrets}topic_arns = ["arn:aws:sns:eu-west-1:1:a"]')
    with pytest.raises(SampleError, match=r'can sign for source live\. Nothing was posted\. (?s:.*)auth = "basic"'):
        raise send("--esp", esp).exception or AssertionError


def test_a_source_of_true_mail_gets_no_whole_set_of_samples_unasked(send: Send, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text('[[source]]\nname = "live"\nesp = "brevo"\nauth = "token"\nsecrets = ["x"]\n')
    with served(tmp_path) as url:
        unasked = send("--esp", "brevo", "--url", url)
        asked = [
            send("--esp", "brevo", "--url", url, *named) for named in (("--source", "live"), ("--case", load_samples("brevo")[0].case))
        ]
    assert (unasked.exit_code, "live is no test source" in unasked.stderr, unasked.stdout) == (1, True, "")
    assert [(result.exit_code, "goes to live, where it is counted" in result.stderr) for result in asked] == [(0, True)] * 2


@pytest.mark.parametrize("auth", ["basic", "header:X-Key", "token", "none"])
@pytest.mark.parametrize("esp", ["postmark", "ses", "scaleway", "resend"])
def test_a_secret_that_stands_in_for_a_signature_is_sent_as_the_source_wants_it(send: Send, tmp_path: Path, esp: str, auth: str) -> None:
    secrets = "" if auth == "none" else 'secrets = ["hopp:correct horse&battery"]'
    (tmp_path / "hopp.toml").write_text(f'[[source]]\nname = "s"\nesp = "{esp}"\nauth = "{auth}"\n{secrets}\ntest = true')
    with served(tmp_path) as url:
        result = send("--esp", esp, "--url", url)
    assert (result.exit_code, {line.split()[0] for line in result.stdout.splitlines()}) == (0, {"200"})


def test_the_demo_s_sources_take_samples_at_once(send: Send, tmp_path: Path) -> None:
    path = write_demo_config(tmp_path)
    path.write_text(path.read_text() + '[[source]]\nname = "acme"\nesp = "postmark"\nauth = "basic"\nsecrets = ["a:b"]\n')
    with served(tmp_path) as url:
        results = [send("--esp", esp, "--url", url) for esp in ("sendgrid", "ses", "postmark", "mailgun")]
    assert [result.exit_code for result in results] == [0, 0, 0, 0]
    assert "goes to demo-postmark, where it is counted" in results[2].stderr


def test_one_case_is_sent_alone(send: Send) -> None:
    result = send("--esp", "sendgrid", "--case", "bounce", "--print")
    head, _, body = result.stdout_bytes.decode().partition("\r\n\r\n")
    assert head.startswith("POST /webhooks/sample-sendgrid HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n")
    assert "x-twilio-email-event-webhook-signature: " in head
    (sample,) = [sample for sample in load_samples("sendgrid") if sample.case == "bounce"]
    assert body.rstrip().encode() == sample.body.rstrip()


def test_what_is_printed_carries_the_token_in_its_address(send: Send, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").write_text('[[source]]\nname = "s"\nesp = "brevo"\nauth = "token"\nsecrets = ["a b"]')
    assert "POST /webhooks/s?token=a+b HTTP/1.1" in send("--esp", "brevo", "--case", "delivered", "--print").stdout


def test_cases_are_listed_with_their_kinds(send: Send) -> None:
    lines = send("--esp", "sendgrid", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [sample.case for sample in load_samples("sendgrid")]
    assert any(line.split() == ["bounce", "bounced"] for line in lines)
    assert any("no event" in line for line in lines)


def test_the_key_of_the_samples_is_made_once_and_for_its_owner_alone(send: Send, tmp_path: Path) -> None:
    first, second = (wanted(send("--esp", "postal")) for _ in range(2))
    assert first == second
    assert (tmp_path / "var/sample-postal.pem").stat().st_mode & 0o077 == 0


def test_the_key_is_kept_in_this_folder_wherever_the_settings_are(send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "elsewhere.toml").write_text("")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOPP_CONFIG", "../elsewhere.toml")
    send("--esp", "postal")
    assert [(here / "var/sample-postal.pem").is_file(), (tmp_path / "var").exists()] == [True, False]


def test_a_test_source_is_chosen_before_a_true_one(send: Send, tmp_path: Path) -> None:
    entry = '[[source]]\nname = "{}"\nesp = "brevo"\nauth = "token"\nsecrets = ["x"]\n'
    (tmp_path / "hopp.toml").write_text(entry.format("live") + entry.format("probe") + TEST)
    assert "POST /webhooks/probe?" in send("--esp", "brevo", "--print").stdout
    assert "POST /webhooks/live?" in send("--esp", "brevo", "--source", "live", "--print").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--esp", "brevo"), "several sources take brevo's posts: name one of a, b"),
        (("--esp", "brevo", "--source", "c"), "no source 'c' of brevo; it has a, b"),
        (("--esp", "resend", "--source", "a"), "no source 'a' of resend; it has keyless"),
        (("--esp", "resend"), "source keyless has no secret"),
        (("--esp", "sendgrid"), "source foreign would refuse .*: the signature is wrong.*repeat:\n\n\\[\\[source\\]\\]"),
    ],
)
def test_what_is_in_the_way_is_said_with_what_to_do(send: Send, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """A true ESP's public key is no use: its private half is not ours."""
    foreign = adapters()["sendgrid"].signer.make_keys(bytes(range(32))).trust.secrets[0]
    entries = (
        'name = "a"\nesp = "brevo"\nauth = "token"\nsecrets = ["x"]',
        'name = "b"\nesp = "brevo"\nauth = "token"\nsecrets = ["x"]',
        'name = "keyless"\nesp = "resend"',
        f'name = "foreign"\nesp = "sendgrid"\nsecrets = ["{foreign}"]',
    )
    (tmp_path / "hopp.toml").write_text("".join(f"[[source]]\n{entry}\n" for entry in entries))
    result = send(*arguments, "--print")
    assert isinstance(result.exception, SampleError)
    assert result.exception.args
    with pytest.raises(SampleError, match=f"(?s){message}"):
        raise result.exception


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--esp", "nomail"), "there is no ESP 'nomail'"),
        (("--esp", "sendgrid", "--case", "nothing"), "sendgrid has no case 'nothing'; there are: "),
        (("--esp", "relay"), "there are no samples of relay"),
    ],
)
def test_a_sample_that_is_not_there_is_said_so(send: Send, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "hopp.toml").write_text('[[mapping]]\nfile = "relay.toml"')
    (tmp_path / "relay.toml").write_text('name = "relay"\n[fields]\nrecipient = "a"\nesp_event_type = "b"\n[kinds]\nok = "sent"')
    result = send(*arguments)
    assert (result.exit_code, message in result.stderr) == (2, True)


def test_a_server_that_refuses_is_explained(send: Send, tmp_path: Path) -> None:
    entry = '[[source]]\nname = "s"\nesp = "brevo"\nauth = "token"\ntest = true\nsecrets = ["{}"]\n'
    (tmp_path / "hopp.toml").write_text(entry.format("old"))
    with served(tmp_path) as url:
        (tmp_path / "hopp.toml").write_text(entry.format("new") + entry.replace('"s"', '"t"').replace("brevo", "zonemta").format("x"))
        results = [send("--esp", esp, "--url", url) for esp in ("brevo", "zonemta")]
    assert [result.exit_code for result in results] == [1, 1]
    assert "s answered 429. Does the service run with this hopp.toml?" in results[0].stderr
    assert "t answered 404. The running service knows no such source" in results[1].stderr


@pytest.mark.parametrize(("content", "message"), [(b"nothing", "holds no private key"), (b"\xff", "cannot be read")])
def test_a_broken_key_is_named(send: Send, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/sample-postal.pem").write_bytes(content)
    result = send("--esp", "postal", "--print")
    assert isinstance(result.exception, SettingsError)
    assert message in str(result.exception)


def test_a_folder_that_cannot_be_written_to_is_named(send: Send, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("no folder")
    result = send("--esp", "postal", "--print")
    assert isinstance(result.exception, SettingsError)
    assert "cannot be written" in str(result.exception)
