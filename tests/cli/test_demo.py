"""Does the demo post, wait and report as it says, against the real web and a worker, on a clock that does not wait?"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from threading import Event as Signal

import pytest
from click.testing import CliRunner
from rich.console import Console

from service.bootstrap import Hopp
from service.cli.demo.command import Show, check_ready, demo_command
from service.cli.demo.sending import DemoError, Mailer, load_senders
from service.cli.demo.story import Post, story_of
from service.cli.demo.watching import AlertReader, reader_token
from service.cli.first_start import DEMO_KEY_FILE
from service.cli.local import own_url
from service.model.errors import RemoteUnavailableError
from service.outbound.service_client import ServiceClient
from service.store import tokens
from tests.cli.installations import Clock, installation, senders_of

RUN = "0a1b2c"


@dataclass(slots=True)
class Stage:
    """A show whose waiting moves the clock and lets the worker work."""

    show: Show
    screen: StringIO
    echoed: list[str]

    @property
    def printed(self) -> str:
        return " ".join(self.screen.getvalue().split())


@pytest.fixture
def stage(hopp: Hopp, client: ServiceClient, clock: Clock) -> Iterator[Stage]:
    worker = hopp.worker(Signal())
    screen = StringIO()
    echoed: list[str] = []

    def wait(_seconds: float) -> None:
        clock.move(7)
        while worker.step().deliveries:
            pass

    with reader_token(hopp, RUN) as token:
        show = Show(
            console=Console(file=screen, width=200),
            echo=echoed.append,
            mailer=Mailer(client=client, senders=senders_of(hopp), now=hopp.now),
            reader=AlertReader(client, token),
            hold_seconds=hopp.policy.hold_min_seconds,
            clock=clock.seconds,
            sleep=wait,
        )
        yield Stage(show, screen, echoed)


def test_it_ends_with_the_alert_as_the_api_gives_it_and_no_other(stage: Stage, clock: Clock) -> None:
    story = story_of(RUN, clock())
    assert stage.show.play(story, waits=True)
    (alert,) = (json.loads(text) for text in stage.echoed)
    assert (alert["domain"], alert["state"], alert["severity"], alert["gateway"]) == (story.domain, "firing", "critical", "cisco")
    assert (alert["reported_hard"], alert["attempts"]) == (14, 18)
    assert "No other alert is open" in stage.printed


def test_it_says_so_where_another_alert_opens(stage: Stage, clock: Clock) -> None:
    story = story_of(RUN, clock())
    assert not stage.show.play(replace(story, late=story.late[:3]), waits=True)
    assert f"Others opened, which should not: nordwerk-{RUN}.example" in stage.printed


def test_it_gives_up_with_a_hint_where_no_worker_works(stage: Stage, clock: Clock) -> None:
    show = replace(stage.show, sleep=clock.move, clock=lambda: 30 * clock.seconds())
    with pytest.raises(DemoError, match="within 8 minutes"):
        show.play(story_of(RUN, clock()), waits=True)


def test_without_waiting_it_posts_everything_and_ends(stage: Stage, clock: Clock, hopp: Hopp) -> None:
    story = story_of(RUN, clock())
    assert stage.show.play(story, waits=False)
    posts = [post for chapter in story.chapters for post in chapter.posts if not post.is_tampered]
    assert hopp.inbox.state().waiting == len(posts) + len(story.late)


def test_the_command_posts_to_the_service_it_is_told_of(
    hopp: Hopp, client: ServiceClient, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = datetime.now(UTC)  # the command signs by the real clock, and the web has to find its signatures fresh
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOPP_DATABASE", hopp.settings.database)
    result = CliRunner().invoke(demo_command, ["--no-wait", "--url", client.base_url])
    assert (result.exit_code, "Everything is posted" in result.output) == (0, True)


def test_a_service_that_is_not_ready_is_named(hopp: Hopp, client: ServiceClient) -> None:
    with hopp.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(RemoteUnavailableError, match="is not ready"):
        check_ready(client)


def test_where_nothing_runs_it_says_how_to_start_it() -> None:
    with ServiceClient("http://127.0.0.1:9") as nobody, pytest.raises(RemoteUnavailableError, match="make run"):
        check_ready(nobody)


def test_a_missing_key_is_named_with_the_mend(hopp: Hopp, tmp_path: Path) -> None:
    (tmp_path / DEMO_KEY_FILE).unlink()
    with pytest.raises(DemoError, match="both are made anew"):
        senders_of(hopp)


def test_a_database_of_another_folder_is_suspected(client: ServiceClient) -> None:
    with pytest.raises(DemoError, match="answered 401"):
        AlertReader(client, "hopp_unknown").open_alerts()


@pytest.mark.parametrize(
    ("bind", "url"),
    [("127.0.0.1:8000", "http://127.0.0.1:8000"), ("0.0.0.0:80", "http://127.0.0.1:80"), ("[::]:80", "http://127.0.0.1:80")],
)
def test_a_command_finds_the_web_of_its_machine(bind: str, url: str) -> None:
    assert own_url(bind) == url


def test_its_token_opens_nothing_once_it_is_over(hopp: Hopp) -> None:
    with reader_token(hopp, RUN) as token:
        pass
    with hopp.database.read() as connection:
        assert tokens.find(connection, token) is None


def test_a_service_with_other_keys_is_named_with_the_mend(stage: Stage, hopp: Hopp, client: ServiceClient, tmp_path: Path) -> None:
    (tmp_path / "hopp.toml").unlink()
    (tmp_path / "other").mkdir()
    other = installation(tmp_path / "other", Clock())
    mailer = Mailer(client=client, senders=senders_of(other), now=hopp.now)
    with pytest.raises(DemoError, match="demo-postmark answered 401 instead of 2xx"):
        mailer.post(Post(esp="postmark", body=b"{}", events=1))


def test_without_demo_sources_it_says_how_to_get_them(hopp: Hopp) -> None:
    settings = replace(hopp.settings, sources=hopp.settings.sources[:2])
    with pytest.raises(DemoError, match=r"demo-postmark, demo-mailgun cannot be used .*make run"):
        load_senders(settings, hopp.adapters)
