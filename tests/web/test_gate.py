"""Does a post get the same answer before Flask as through it?"""

from dataclasses import replace

import pytest

from service.inbox.port import Settled
from service.model.errors import BodyTooLargeError, InboxUnavailableError
from service.model.events import Delivery
from service.web.answers import Answer
from service.web.app import create_app
from service.web.gate import Gate
from service.web.plain import PlainHead
from service.web.receive import Receiver
from tests.web.worlds import SECRET, World

_HEAD = PlainHead("/webhooks/pm", f"token={SECRET}", {"content-type": ""}, 2, is_kept=True)


class _BrokenInbox:
    def append(self, delivery: Delivery) -> None:
        raise OSError("disk gone")

    def begin(self, delivery: Delivery, settled: Settled) -> None:
        raise OSError("disk gone")


class _SettlingInbox:
    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def begin(self, delivery: Delivery, settled: Settled) -> None:
        settled(self._error)


def _answers(world: World, inbox: object, head: PlainHead = _HEAD) -> list[int]:
    """The statuses that a plain post is answered with."""
    gate = create_app(replace(world.hopp, inbox=inbox)).wsgi_app  # type: ignore[arg-type]  # nothing else of it is asked
    assert isinstance(gate, Gate)
    heard: list[Answer] = []
    assert gate.begin(head, b"{}", "192.0.2.1", heard.append)
    return [answer.status for answer in heard]


@pytest.mark.parametrize("end", ["", "/"], ids=["gate", "flask"])
@pytest.mark.parametrize(
    ("source", "query", "body", "status"),
    [
        ("pm", f"token={SECRET}", b'{"a": 1}', 200),
        ("pm", "token=wrong", b"{}", 401),
        ("pm-basic", "", b"{}", 401),
        ("nobody", "", b"{}", 404),
        ("pm", f"token={SECRET}", b"x" * 30_000_000, 413),
    ],
)
def test_both_ways_give_one_answer(world: World, end: str, source: str, query: str, body: bytes, status: int) -> None:
    answer = world.client.post(f"/webhooks/{source}{end}", query_string=query, data=body)
    assert (answer.status_code, answer.content_length) == (status, len(answer.data))
    assert answer.content_type == ("application/json" if status == 200 else "application/problem+json")
    assert len(world.kept()) == (status == 200)


@pytest.mark.parametrize("path", ["/webhooks/pm", "/webhooks/pm/"])
def test_a_fault_of_ours_ends_in_the_status_after_which_the_esp_comes_back(
    world: World, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hopp = replace(world.hopp, inbox=_BrokenInbox())  # type: ignore[arg-type]  # nothing else of it is asked
    answer = create_app(hopp).test_client().post(path, query_string=f"token={SECRET}", data=b"{}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "webhook_failed" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("inbox", "status"),
    [
        (_SettlingInbox(None), 200),
        (_SettlingInbox(InboxUnavailableError("gone")), 503),
        (_SettlingInbox(BodyTooLargeError("too large")), 413),
        (_SettlingInbox(OSError("disk gone")), 503),
        (_BrokenInbox(), 503),
    ],
)
def test_a_plain_post_is_answered_once_whatever_becomes_of_it(world: World, inbox: object, status: int) -> None:
    assert _answers(world, inbox) == [status]


def test_a_plain_post_that_is_refused_is_answered_once(world: World) -> None:
    assert _answers(world, _BrokenInbox(), replace(_HEAD, query="")) == [401]


@pytest.mark.parametrize("error", [None, OSError("disk gone")])
def test_a_plain_post_is_answered_even_where_its_answer_fails(
    world: World, error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> Answer:
        raise OSError("disk full")

    monkeypatch.setattr(Receiver, "_answer_settled", fail)
    assert _answers(world, _SettlingInbox(error)) == [503]
