"""Are refused posts counted in the tables, without a write for each and without a request that waits?"""

from threading import Event as Signal
from threading import Thread

import pytest
from sqlalchemy import text

from service.web.refusals import Refusals
from tests.web.rows import HOUR
from tests.web.worlds import SECRET, World

BAD = "/webhooks/pm?token=wrong"
COUNTED = "SELECT name, hour, outcome, count FROM source_hourly JOIN sources ON id = source_id"


def counted(world: World) -> list[tuple[object, ...]]:
    with world.hopp.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(COUNTED))]


def refusals_of(world: World) -> Refusals:
    found = world.client.application.extensions["hopp-refusals"]
    assert isinstance(found, Refusals)
    return found


def thread_of(refusals: Refusals) -> Thread | None:
    return refusals._thread


def test_refused_posts_are_written_together_and_later(world: World) -> None:
    for _ in range(3):
        world.client.post(BAD, data=b"{}")
    world.client.post(f"/webhooks/pm?token={SECRET}", data=b"{}")
    assert counted(world) == []
    for _ in range(2):  # the second time there is nothing to write
        refusals_of(world).flush()
        assert counted(world) == [("pm", HOUR, "refused", 3)]


def test_a_sender_that_waits_to_be_asked_for_its_password_is_counted_apart(world: World) -> None:
    """SNS posts without it first; a wrong one is a wrong one."""
    world.client.post("/webhooks/pm-basic", data=b"{}")
    world.client.post("/webhooks/pm-basic", data=b"{}", headers={"Authorization": "Basic aDp3cm9uZw=="})
    refusals_of(world).flush()
    assert sorted(counted(world)) == [("pm-basic", HOUR, "challenged", 1), ("pm-basic", HOUR, "refused", 1)]


def test_posts_to_nobody_and_unread_ones_are_not_counted(world: World) -> None:
    world.client.post("/webhooks/nobody", data=b"{}")
    world.client.post(BAD, data=b"x", headers={"Content-Encoding": "gzip"})
    refusals_of(world).flush()
    assert counted(world) == []


def test_counts_wait_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = refusals_of(world)
    world.client.post(BAD, data=b"{}")
    with monkeypatch.context() as away:
        away.setattr("service.web.refusals.record_refused", _raise)
        refusals.flush()
    world.client.post(BAD, data=b"{}")
    refusals.flush()
    assert counted(world) == [("pm", HOUR, "refused", 2)]


def _raise(*_: object) -> None:
    raise OSError("disk gone")


def test_a_thread_of_its_own_writes_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Signal()
    monkeypatch.setattr("service.web.refusals.record_refused", lambda *_: written.set())
    refusals = Refusals(world.hopp, flush_seconds=0.001)
    refusals.count("pm")
    assert written.wait(30)
    refusals.close()


def test_the_thread_is_started_by_the_first_refused_post(world: World) -> None:
    """Not when the application is built: that may happen before the process that serves is forked."""
    refusals = refusals_of(world)
    assert thread_of(refusals) is None
    for _ in range(2):
        world.client.post(BAD, data=b"{}")
    thread = thread_of(refusals)
    assert thread is not None
    assert thread.daemon
    refusals.close()
    assert not thread.is_alive()
    Refusals(world.hopp).close()
