"""Does the demo post, wait and report as it says, against the real web and a worker, on a clock that does not wait?"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from threading import Event as Signal

import pytest
from rich.console import Console
from werkzeug.serving import make_server

from service.bootstrap import Hopp
from service.cli.demo.command import Show
from service.cli.demo.sending import DemoError, Mailer, load_senders
from service.cli.demo.story import Post, story_of
from service.cli.demo.watching import AlertReader, reader_token
from service.outbound.service_client import ServiceClient
from service.store import tokens
from service.web.app import create_app
from tests.cli.installations import Clock, installation, senders_of

RUN = "0a1b2c"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hopp(tmp_path: Path, clock: Clock) -> Iterator[Hopp]:
    made = installation(tmp_path, clock)
    yield made
    made.inbox.close()
    made.database.close()


@pytest.fixture
def client(hopp: Hopp) -> Iterator[ServiceClient]:
    """Speaks to the real web, on a free port of this machine."""
    server = make_server("127.0.0.1", 0, create_app(hopp))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with ServiceClient(f"http://127.0.0.1:{server.server_port}") as speaking:
            yield speaking
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
    assert (alert["domain"], alert["state"], alert["severity"], alert["gateway"]) == (story.domain, "firing", "critical", "cisco_ces")
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
