"""Nothing that got a 2xx is lost, and nothing is counted twice, when web, worker or both are killed without warning."""

import random
from pathlib import Path

import psutil
import pytest

from tests.e2e.posting import sender
from tests.e2e.serving import Service, serving
from tests.faults.load import Load, assert_nothing_is_lost

pytestmark = pytest.mark.enable_socket
_WEB, _WORKER = "gunicorn", "service worker"


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_killed_web_or_worker_loses_nothing(tmp_path: Path, backend: str, request: pytest.FixtureRequest) -> None:
    variables: dict[str, str] = {}
    if backend == "postgresql":
        url = request.getfixturevalue("postgres_url")
        variables = {"HOPP_DATABASE": url, "HOPP_INBOX": url}
    one = sender("generic")
    victims = [(_WORKER,), (_WEB,), (_WORKER, _WEB), (_WORKER,)]
    random.shuffle(victims)
    with serving(tmp_path, one.config, HOPP_BATCH_DELIVERIES="20", **variables) as service, Load(service.url, one) as load:
        for words in victims:
            load.wait_for(random.randint(20, 120))
            for word in words:
                _kill(service, word)
            if _WEB in words:
                service.restart()
        load.wait_for(20)
        load.stop()
        database_url = variables.get("HOPP_DATABASE", f"sqlite:///{tmp_path}/var/hopp.sqlite")
        assert_nothing_is_lost(load.accepted, database_url, f"killed web and worker, {backend}")


def _kill(service: Service, word: str) -> None:
    for process in service.children(word):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
