"""Does a post get the same answer before Flask as through it?"""

from dataclasses import replace

import pytest

from service.model.events import Delivery
from service.web.app import create_app
from tests.web.worlds import SECRET, World


class _BrokenInbox:
    def append(self, delivery: Delivery) -> None:
        raise OSError("disk gone")


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
