"""SIGTERM under load: what was begun is finished and accepted, the service ends well, and nothing is lost."""

import socket
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.posting import Sender, sender
from tests.e2e.serving import Service, serving, wait_until
from tests.faults.load import Load, assert_nothing_is_lost, event_body

pytestmark = pytest.mark.enable_socket
_BEGUN = 8


class _SlowPost:
    """A post whose second half is still to come."""

    def __init__(self, service: Service, one: Sender, id_: str) -> None:
        signed = one.signed(service.url, event_body(id_))
        address = urlsplit(signed.url)
        headers = {**signed.headers, "Host": address.netloc, "Content-Length": str(len(signed.body)), "Expect": "100-continue"}
        lines = (f"POST {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", "")
        self.id = id_
        self._rest = signed.body[len(signed.body) // 2 :]
        self._connection = socket.create_connection((address.hostname, address.port), timeout=30)
        self._connection.sendall("\r\n".join(lines).encode())
        assert self._connection.recv(100).startswith(b"HTTP/1.1 100 "), "it is being read"
        self._connection.sendall(signed.body[: -len(self._rest)])

    def finish(self) -> int:
        with self._connection:
            self._connection.sendall(self._rest)
            return int(self._connection.recv(100).split()[1])


def test_what_was_begun_before_a_stop_is_accepted(tmp_path: Path) -> None:
    one = sender("generic")
    with serving(tmp_path, one.config) as service, Load(service.url, one) as load:
        load.wait_for(50)
        begun = [_SlowPost(service, one, f"begun-{number}") for number in range(_BEGUN)]
        service.process.terminate()
        wait_until(lambda: "Handling signal: term" in (tmp_path / "serve.log").read_text(), "it is stopping")
        answers = [post.finish() for post in begun]
        exit_code = service.process.wait(timeout=60)
        load.stop()
        assert answers == [200] * _BEGUN
        assert exit_code == 0
        assert set(load.refused) <= {0}
        service.restart()
        accepted = load.accepted + Counter(post.id for post in begun)
        assert_nothing_is_lost(accepted, f"sqlite:///{tmp_path}/var/hopp.sqlite", "stopped politely")
