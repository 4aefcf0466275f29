"""Builders of an installation in a folder, on a clock that the test moves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from service.bootstrap import Hopp, build
from service.cli.demo.sending import Sender, load_senders
from service.cli.demo.story import Post
from service.cli.first_start import write_demo_config
from service.esp_kit.adapter import SourceTrust, Verification, WebhookRequest
from service.model.events import Delivery
from service.model.moments import to_us
from service.pipeline.evaluate import Evaluator
from service.pipeline.process import process
from service.settings import load_settings
from service.store import schema

START = datetime(2026, 3, 4, 12, 0, 20, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8000"
_BATCH = 100  # small enough that a story takes several


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - START).total_seconds()

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def installation(folder: Path, clock: Clock, **variables: str) -> Hopp:
    """What a first start in this folder makes: demo sources, tables, an empty inbox."""
    write_demo_config(folder)
    database = {"HOPP_DATABASE": f"sqlite:///{folder}/var/hopp.sqlite"}
    hopp = build(load_settings(database | variables, folder), now=clock)
    schema.migrate(hopp.database)
    hopp.inbox.prepare()
    return hopp


def senders_of(hopp: Hopp) -> dict[str, Sender]:
    """What signs the demo's posts."""
    return load_senders(hopp.settings, hopp.adapters)


def signed(hopp: Hopp, post: Post) -> WebhookRequest:
    """The post as the web gets it."""
    request = senders_of(hopp)[post.esp].signed(post, base_url=BASE_URL, now=hopp.now())
    return replace(request, headers={name.lower(): value for name, value in request.headers.items()})


def verified(hopp: Hopp, post: Post) -> Verification:
    """What the ESP's adapter says of the signed post."""
    source = senders_of(hopp)[post.esp].source
    trust = SourceTrust(secrets=source.secrets, auth=source.auth, options=source.options)
    return hopp.adapters[post.esp].verify(signed(hopp, post), trust, hopp.now())


def take_in(hopp: Hopp, posts: Iterable[Post]) -> None:
    """Process the signed posts as the worker does with what waits in the inbox."""
    deliveries = [_delivery(hopp, post) for post in posts]
    for start in range(0, len(deliveries), _BATCH):
        process(deliveries[start : start + _BATCH], hopp.tools(), now_us=to_us(hopp.now()))


def _delivery(hopp: Hopp, post: Post) -> Delivery:
    request = signed(hopp, post)
    return Delivery(
        id=uuid4().hex,
        source=f"demo-{post.esp}",
        esp=post.esp,
        received_at=hopp.now(),
        body=request.body,
        content_type=request.headers["content-type"],
    )


def evaluate(hopp: Hopp) -> None:
    """Judge what is due at this moment."""
    Evaluator(hopp.database, hopp.policy, holder="test").run(to_us(hopp.now()))
