"""What the doctor says of an inbox in NATS."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.bootstrap import Hopp
from service.cli.checkup import examine
from service.cli.cluster import examine_cluster
from service.cli.findings import Finding, State
from service.inbox.nats import NatsInbox
from service.inbox.port import Standing
from service.outbound.service_client import ServiceClient
from service.settings import Settings
from tests.cli.installations import Clock, installation
from tests.e2e.serving import free_port
from tests.inbox.deliveries import delivery
from tests.nats_cluster import NatsCluster

SETTINGS = Settings(database="sqlite:///", inbox="nats://one,two,three", inbox_replicas=3)
WELL = Standing(version="2.15.1", max_payload=8_000_000, replicas=3, in_step=3)


@dataclass(frozen=True)
class _Cluster:
    """Says of itself what the test wants."""

    said: Standing
    described: str = "nats://one,two,three/hopp"

    def standing(self) -> Standing:
        return self.said


def test_a_whole_cluster_is_well() -> None:
    [finding] = examine_cluster(_Cluster(WELL), SETTINGS)
    assert finding.state is State.OK
    assert "3 of 3 replicas in step" in finding.found


@pytest.mark.parametrize(
    ("standing", "state", "next_step"),
    [
        (replace(WELL, in_step=2), State.WARN, "down or behind"),
        (replace(WELL, replicas=2, in_step=2), State.WARN, "service migrate"),
        (replace(WELL, version="2.9.25"), State.FAIL, "2.10 or later"),
        (replace(WELL, max_payload=1_000_000), State.WARN, "max_payload: 8MB"),
    ],
    ids=["behind", "too few", "old", "small messages"],
)
def test_what_is_not_well_says_what_to_do(standing: Standing, state: State, next_step: str) -> None:
    found = [finding for finding in examine_cluster(_Cluster(standing), SETTINGS) if finding.state is not State.OK]
    assert [finding.state for finding in found] == [state]
    assert next_step in found[0].next_step


def test_one_replica_is_warned_about() -> None:
    [finding] = examine_cluster(_Cluster(replace(WELL, replicas=1, in_step=1)), replace(SETTINGS, inbox_replicas=1))
    assert (finding.state, "three servers" in finding.next_step) == (State.WARN, True)


@pytest.mark.enable_socket
def test_the_doctor_looks_at_the_cluster_and_at_what_waits(tmp_path: Path, clock: Clock, nats_cluster: NatsCluster) -> None:
    hopp = installation(tmp_path, clock, HOPP_INBOX=nats_cluster.fresh_url())
    hopp.inbox.append(delivery(received_at=clock()))
    found = _findings(hopp)
    assert (found["inbox"].state, "NATS 2." in found["inbox"].found) == (State.OK, True)
    assert "1 in the inbox" in found["waiting"].found
    hopp.inbox.close()
    hopp.database.close()


@pytest.mark.enable_socket
def test_a_cluster_that_does_not_answer_is_a_failure(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inbox.nats_link.PATIENCE_SECONDS", 0.1)
    hopp = installation(tmp_path, clock)
    hopp = replace(hopp, inbox=NatsInbox(f"nats://127.0.0.1:{free_port()}"))
    found = _findings(hopp)
    assert (found["inbox"].state, "waiting" in found) == (State.FAIL, False)
    hopp.inbox.close()
    hopp.database.close()


def _findings(hopp: Hopp) -> dict[str, Finding]:
    with ServiceClient("http://127.0.0.1:9") as client:  # nobody listens there
        return {finding.what: finding for finding in examine(hopp, client)}
