"""What is an ESP told of a body that the inbox can never take? That it is too large, not that it may come again."""

import os

import pytest

from tests.web.worlds import SECRET, MakeWorld

pytestmark = pytest.mark.enable_socket
GOOD = f"/webhooks/pm?token={SECRET}"


def test_a_body_that_no_server_of_the_inbox_takes_is_a_413(make_world: MakeWorld, nats_url: str) -> None:
    world = make_world(inbox=nats_url)
    world.hopp.inbox.prepare()
    assert world.client.post(GOOD, data=os.urandom(2_100_000)).status_code == 413
    assert world.client.post(GOOD, data=b"{}").status_code == 200
    assert len(world.kept()) == 1
