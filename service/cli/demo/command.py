"""The command that shows what Hopp does: it posts a story, waits for what comes of it, and prints the alert."""

import secrets
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from service.bootstrap import build
from service.cli.demo.sending import DemoError, Mailer, load_senders
from service.cli.demo.story import Chapter, Post, Story, story_of
from service.cli.demo.watching import Alert, AlertReader, reader_token
from service.cli.local import own_url
from service.model.errors import RemoteUnavailableError
from service.outbound.service_client import ServiceClient
from service.settings import settings_from_process
from service.store import schema

_GIVE_UP_SECONDS = 480
_LATE_SECONDS = 90  # the overtaken webhooks come in over this time, well within the wait
_POLL_SECONDS = 1.0
_INDENT = "   "


@click.command("demo")
@click.option("--url", help="Address of the running service; HOPP_BIND by default.")
@click.option("--no-wait", is_flag=True, help="Post everything and stop, without waiting for the alert.")
def demo_command(*, url: str | None, no_wait: bool) -> None:
    """Show what Hopp does with made-up mail: takes about three minutes and needs a running service (make run).

    It posts signed webhooks of four ESPs over HTTP. One company's gateway refuses live people as "user unknown": this fires.
    A free-mail domain, an old list and a company that four people left stay quiet. Ends with 0 if exactly that alert fired.
    """
    hopp = build(settings_from_process())
    senders = load_senders(hopp.settings, hopp.adapters)
    with ServiceClient(url or own_url(hopp.settings.bind)) as client:
        check_ready(client)
        schema.check(hopp.database)
        run = secrets.token_hex(3)
        with reader_token(hopp, run) as token:
            show = Show(
                console=Console(highlight=False),
                echo=click.echo,
                mailer=Mailer(client=client, senders=senders, now=hopp.now),
                reader=AlertReader(client, token),
                hold_seconds=hopp.policy.hold_min_seconds,
                clock=time.monotonic,
                sleep=time.sleep,
            )
            is_as_told = show.play(story_of(run, hopp.now()), waits=not no_wait)
    sys.exit(0 if is_as_told else 1)


def check_ready(client: ServiceClient) -> None:
    """Raise RemoteUnavailableError, with what to do, where no service is ready at this address."""
    answer = client.get("/readyz")
    if not answer.is_success:
        message = f"The service at {client.base_url} is not ready ({answer.status}). Ask it why: python -m service doctor"
        raise RemoteUnavailableError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Plays a story and watches what comes of it."""

    console: Console
    echo: Callable[[str], None]  # for what others may read on: nothing of it is coloured or wrapped
    mailer: Mailer
    reader: AlertReader
    hold_seconds: int
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def play(self, story: Story, *, waits: bool) -> bool:
        """Post everything; True where exactly the story's alert fired, or where nobody waited for it."""
        before = self.reader.open_alerts()
        self.console.print(f"Made-up mail of four ESPs goes to {self.mailer.client.base_url}, signed as they sign.\n")
        for number, chapter in enumerate(story.chapters, start=1):
            self._tell(number, chapter)
        if not waits:
            self._post("  ", story.late)
            self._say(f"Everything is posted. The alert opens {self.hold_seconds} s from now", "GET /api/v1/alerts?state=firing")
            return True
        opened = self._watch(story, before)
        return self._report(story, opened, before)

    def _tell(self, number: int, chapter: Chapter) -> None:
        self._say(f"{number}. {chapter.title}", chapter.meaning)
        self._post("  ", chapter.posts)

    def _say(self, title: str, text: str) -> None:
        if title:
            self.console.print(title, style="bold", markup=False, soft_wrap=True)
        lines = textwrap.fill(text, self.console.width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False)
        self.console.print(lines, markup=False, soft_wrap=True)  # nothing is filled up with blanks, or broken within a word

    def _post(self, label: str, posts: Sequence[Post]) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
        statuses: set[int] = set()
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(label, total=len(posts), said="")
            for post in posts:
                statuses.add(self.mailer.post(post))
                answered = ", ".join(str(status) for status in sorted(statuses))
                progress.update(task, advance=1, said=f"posts from {_names(posts)}, answered {answered}")
        self.console.print()

    def _watch(self, story: Story, before: dict[str, Alert]) -> dict[str, Alert]:
        """Wait until the story's alert is open, and post the webhooks that were overtaken meanwhile; returns all that opened."""
        self._say(
            "Now Hopp waits for the denominator",
            f"bounces overtake the webhooks of delivered mail, so it judges a domain only {self.hold_seconds} s after its bounce; "
            f"meanwhile the {len(story.late)} overtaken webhooks come in",
        )
        late, start = list(story.late), self.clock()
        columns = (TextColumn("  "), SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task("", total=self.hold_seconds + 5)
            while (elapsed := self.clock() - start) < _GIVE_UP_SECONDS:
                while late and elapsed >= _LATE_SECONDS * (1 - len(late) / len(story.late)):
                    self.mailer.post(late.pop(0))
                opened = {id_: alert for id_, alert in self.reader.open_alerts().items() if id_ not in before}
                progress.update(task, completed=elapsed, description=f"{len(late)} webhooks on the way, {len(opened)} alerts opened")
                if any(alert["domain"] == story.domain for alert in opened.values()):
                    return opened
                self.sleep(_POLL_SECONDS)
        message = f"No alert for {story.domain} within {_GIVE_UP_SECONDS // 60} minutes. Is a worker running? Ask: python -m service doctor"
        raise DemoError(message)

    def _report(self, story: Story, opened: dict[str, Alert], before: dict[str, Alert]) -> bool:
        alert = next(alert for alert in opened.values() if alert["domain"] == story.domain)
        self._say("\nThe alert, as GET /api/v1/alerts gives it", f"its evidence: /api/v1/alerts/{alert['id']}")
        self.echo(orjson.dumps(alert, option=orjson.OPT_INDENT_2).decode())
        for step in self.reader.next_steps(alert["id"]):
            self._say("", f"next: {step}")
        others = sorted(other["domain"] for other in opened.values() if other is not alert and not story.is_of_another_run(other["domain"]))
        if others:
            self.console.print(f"\nOthers opened, which should not: {', '.join(others)}", style="bold red")
            return False
        known = len(before) + len(opened) - 1
        older = f" ({known} are of other runs or older)" if known else ""
        self.console.print(f"\nNo other alert is open{older}: free mail, the old list and the company with four leavers stayed quiet.")
        return True


def _names(posts: Sequence[Post]) -> str:
    return ", ".join(dict.fromkeys(post.esp for post in posts))
