"""Nothing that got a 2xx is lost, and nothing is counted twice, when web and worker are killed without warning."""

import random
import time
from collections import Counter
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread
from typing import Self

import orjson
import psutil
import pytest
from sqlalchemy import text

from service.store.database import Database
from tests.e2e.posting import Sender, sender
from tests.e2e.serving import Service, serving, wait_until

pytestmark = pytest.mark.enable_socket
_POSTERS = 4
_KILLS = 6


class _Load:
    """Posts events one by one from several threads, and remembers which were accepted."""

    def __init__(self, service: Service, one: Sender) -> None:
        self._service, self._sender = service, one
        self._lock, self._stop = Lock(), Signal()
        self._count = 0
        self.accepted: set[str] = set()
        self._threads = [Thread(target=self._post, daemon=True) for _ in range(_POSTERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _post(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._count += 1
                id_ = f"event-{self._count}"
            event = {"kind": "delivered", "recipient": f"{id_}@steel.example", "esp_event_id": id_, "occurred_at": "2026-03-02T08:00:00Z"}
            if self._sender.post(self._service.url, orjson.dumps(event)) == 200:
                with self._lock:
                    self.accepted.add(id_)
            else:
                time.sleep(0.05)  # the endpoint is down: an ESP waits longer


def _kill(service: Service, word: str) -> None:
    for process in service.children(word):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _kept(url: str) -> Counter[str]:
    database = Database(url)
    with database.read() as connection:
        found = Counter(connection.execute(text("SELECT esp_event_id FROM events")).scalars())
        # One statement sees one moment, though the worker goes on.
        counts = connection.execute(
            text("SELECT (SELECT count(*) FROM events), (SELECT coalesce(sum(warm_n + cold_n), 0) FROM domain_hourly)")
        ).one()
    database.close()
    assert counts[0] == counts[1], "each kept event is counted once"
    return found


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_killed_web_or_worker_loses_nothing(tmp_path: Path, backend: str, request: pytest.FixtureRequest) -> None:
    variables: dict[str, str] = {}
    if backend == "postgresql":
        url = request.getfixturevalue("postgres_url")
        variables = {"HOPP_DATABASE": url, "HOPP_INBOX": url}
    one, chance = sender("generic"), random.Random(7)
    with serving(tmp_path, one.config, HOPP_BATCH_DELIVERIES="20", **variables) as service, _Load(service, one) as load:
        for _ in range(_KILLS):
            time.sleep(chance.uniform(0.2, 0.9))
            victim = chance.choice(["gunicorn", "service worker"])
            _kill(service, victim)
            if service.process.poll() is not None or victim == "gunicorn":
                service.restart()
        load.__exit__()
        database_url = variables.get("HOPP_DATABASE", f"sqlite:///{tmp_path}/var/hopp.sqlite")
        wait_until(lambda: load.accepted <= set(_kept(database_url)), "every accepted event is kept")
        kept = _kept(database_url)

    assert len(load.accepted) > _KILLS
    assert set(kept.values()) == {1}
