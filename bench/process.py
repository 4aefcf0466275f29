"""What does one event cost the worker and its database? Parse, label, fold and write, in batches of stored deliveries.

Prints microseconds of CPU an event, of this process and of PostgreSQL together: on a shared machine CPU is the figure to
keep, the clock is not.
"""

import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psutil

from service.bootstrap import build
from service.model.events import Delivery
from service.model.moments import to_us
from service.pipeline.process import Tools, process
from service.settings import load_settings
from service.store import schema
from service.web.delivery_ids import delivery_id
from tests.postgres import PostgresServer, own_server

_NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
_BATCH = 500
_HOT_SHARE = 0.8  # of all mail for one domain


def deliveries(count: int, seed: int) -> list[Delivery]:
    """Single-event posts of Mailgun, most for one domain, one in twenty a bounce."""
    chance = random.Random(seed)
    return [_delivery(number, seed, chance) for number in range(count)]


def _delivery(number: int, seed: int, chance: random.Random) -> Delivery:
    at = _NOW + timedelta(seconds=chance.uniform(0, 86_400))
    domain = "big.example" if chance.random() < _HOT_SHARE else f"d{chance.randrange(2_000)}.example"
    event = {
        "id": f"{seed}-{number}",
        "event": "delivered",
        "timestamp": at.timestamp(),
        "recipient": f"p{chance.randrange(200_000)}@{domain}",
        "envelope": {"sending-ip": "192.0.2.60", "sender": "news@example.com"},
        "delivery-status": {"code": 250, "message": "OK", "mx-host": f"mx.{domain}", "attempt-no": 1},
        "message": {"headers": {"message-id": f"{seed}.{number}@mg.example.com", "subject": "Spring range"}},
        "tags": ["news"],
        "campaigns": [],
        "user-variables": {"crm": str(number)},
    }
    if chance.random() < 0.05:  # noqa: PLR2004 - the share that the docstring names
        event |= {"event": "failed", "severity": "permanent", "reason": "bounce"}
        event["delivery-status"] = {"code": 550, "message": "550 5.1.1 User unknown", "mx-host": f"mx.{domain}"}
    body = {"signature": {"timestamp": "1", "token": f"{seed}-{number}".ljust(50, "t"), "signature": "0" * 64}, "event-data": event}
    received_at = at + timedelta(seconds=2)
    return Delivery(
        id=delivery_id(received_at),
        source="mg",
        esp="mailgun",
        received_at=received_at,
        body=orjson.dumps(body),
        content_type="application/json",
    )


def measure(url: str, events: int, postmaster: int | None) -> tuple[float, float]:
    """Microseconds of CPU an event: of this process, and of PostgreSQL."""
    tools: Tools = build(load_settings({"HOPP_DATABASE": url})).tools()
    schema.migrate(tools.database)
    process(deliveries(_BATCH, seed=0), tools, now_us=to_us(_NOW))  # warm: rules, plans, connections
    batches = [deliveries(_BATCH, seed=number + 1) for number in range(events // _BATCH)]
    own, theirs = time.process_time(), _server_seconds(postmaster)
    for batch in batches:
        process(batch, tools, now_us=to_us(_NOW))
    own, theirs = time.process_time() - own, _server_seconds(postmaster) - theirs
    tools.database.close()
    done = len(batches) * _BATCH
    return own / done * 1e6, theirs / done * 1e6


def _server_seconds(postmaster: int | None) -> float:
    """CPU seconds of a server and all its processes, those that have ended too."""
    if postmaster is None:
        return 0.0
    root = psutil.Process(postmaster)
    times = [process_.cpu_times() for process_ in (root, *root.children(recursive=True))]
    ended = root.cpu_times()
    return sum(item.user + item.system for item in times) + ended.children_user + ended.children_system


def _postmaster(server: PostgresServer) -> int:
    """Its process id, which PostgreSQL writes on the first line of a file."""
    return int((server.folder / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])


def main() -> None:
    """Measure both databases."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        own, _ = measure(f"sqlite:///{Path(folder) / 'hopp.sqlite'}", events, None)
        print(f"SQLite      {own:6.1f} us an event")
    with own_server(durable=True) as server:
        with server.databases.fresh() as url:
            own, theirs = measure(url, events, _postmaster(server))
        print(f"PostgreSQL  {own + theirs:6.1f} us an event ({own:.1f} worker + {theirs:.1f} server)")


if __name__ == "__main__":
    main()
