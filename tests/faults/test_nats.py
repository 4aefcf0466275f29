"""Nodes of the NATS cluster are killed under load, the leader, a follower, all three: what is accepted arrives."""

from pathlib import Path

import pytest

from service.esp import adapters
from tests.e2e.posting import sender
from tests.e2e.serving import serving, wait_until
from tests.faults.load import Load, assert_nothing_is_lost
from tests.nats_cluster import NatsCluster, Node

pytestmark = pytest.mark.enable_socket
_UNAVAILABLE = adapters()["generic"].answers.unavailable


def test_killed_nodes_lose_nothing(tmp_path: Path, own_nats_cluster: NatsCluster) -> None:
    one, inbox_url = sender("generic"), own_nats_cluster.fresh_url()
    database_url = f"sqlite:///{tmp_path}/hopp.sqlite"
    variables = {"HOPP_DATABASE": database_url, "HOPP_INBOX": inbox_url, "HOPP_BATCH_DELIVERIES": "20"}
    with serving(tmp_path, one.config, **variables) as service, Load(service.url, one) as load:
        for is_leader in (True, False):
            load.wait_for(30)
            victim = _node(own_nats_cluster, inbox_url, is_leader=is_leader)
            victim.stop("KILL")
            load.wait_for(60)
            own_nats_cluster.start(victim)
        load.wait_for(30)
        for node in own_nats_cluster.nodes:
            node.stop("KILL")
        load.wait_for_refusals(_UNAVAILABLE, 4)
        own_nats_cluster.start()
        load.wait_for(30)
        load.stop()
        assert set(load.refused) == {_UNAVAILABLE}
        assert_nothing_is_lost(load.accepted, database_url, "killed a leader of NATS, a follower, and all")


def _node(cluster: NatsCluster, url: str, *, is_leader: bool) -> Node:
    wait_until(lambda: cluster.leader_of(url) is not None, "the stream has a leader")
    leader = cluster.leader_of(url)
    return next(node for node in cluster.nodes if (node is leader) is is_leader)
