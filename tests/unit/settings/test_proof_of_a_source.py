"""Does the start end where a source could never believe a post, and does it say which and what to do?"""

from pathlib import Path

import pytest

from service.bootstrap import build
from service.settings import SettingsError, load_settings


def start(folder: Path, *lines: str) -> None:
    """Put Hopp together with one source."""
    (folder / "hopp.toml").write_text("\n".join(("[[source]]", 'name = "acme"', *lines)))
    build(load_settings({"HOPP_DATABASE": f"sqlite:///{folder}/hopp.sqlite"}, folder))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('esp = "sendgrid"', 'secrets = ["SG.secret"]'), "secret 1 of 1 is no ECDSA public key. Copy the verification key"),
        (('esp = "brevo"', 'auth = "basic"', 'secrets = ["hopp"]'), "secret 1 of 1 is no user and password. Write it as USER:PASSWORD"),
        (('esp = "ses"', 'topic_arns = ["arn:…"]'), "topic_arns: 'arn:…' is no ARN of an SNS topic. Write it as SNS shows it"),
        (('esp = "brevo"', 'secrets = ["hopp"]'), "brevo does not sign, so this source would refuse everything. Set auth to one of"),
        (('esp = "brevo"', 'auth = "magic"'), "auth = 'magic' is nothing that brevo can prove itself with. Use one of"),
        (('esp = "nomail"',), "there is no ESP 'nomail'. Known: "),
    ],
)
def test_source_that_could_believe_nothing_stops_the_start_and_is_named(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        start(tmp_path, *lines)
    assert str(raised.value).startswith(f"source 'acme': {words}")
    assert "SG.secret" not in str(raised.value)


def test_source_without_secrets_starts_and_refuses_all(tmp_path: Path) -> None:
    start(tmp_path, 'esp = "sendgrid"')
