"""What does it cost PostgreSQL to keep an event once, in one table, in partitions, and with its key in a table of its own?

Run it as `python -m bench.partitions [rows …]`: for each number of rows that are there already, batches of 500 new events go into
three layouts in turn. Printed are medians by batch, per event: processor time of the server's process, time by the clock, and WAL.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import psutil
import psycopg

from service.store import schema
from service.store.database import Database
from tests.postgres import own_server

_BATCH = 500
_ROUNDS, _BATCHES = 8, 25
_MONTHS = 13
_MONTH_US = 30 * 86_400_000_000
_START_US = 1_767_225_600_000_000
_NOW_US = _START_US + (_MONTHS - 1) * _MONTH_US + 10 * 86_400_000_000
_COLUMNS = (
    "id", "event_key", "delivery_id", "source_id", "recipient_id", "domain", "kind", "occurred_us", "received_us", "cell", "esp",
    "phase", "counts_as_hard", "gateway", "message_id", "esp_event_id", "esp_event_type",
)  # fmt: skip
_FILL = """
INSERT INTO {table} ({columns})
SELECT g, decode(md5('old' || g), 'hex'), lpad(g::text, 32, '0'), 1, g % 400000, 'd' || g % 2000 || '.example', 'delivered',
    at_us, at_us + 2000000, 1, 'generic', 'unknown', false, '', md5('m' || g) || '@mail.example', md5('e' || g), 'delivered'
FROM (SELECT g, {start} + (g - {first}) * {step}::bigint AS at_us FROM generate_series({first}, {last}) g) made
"""

Row = tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Layout:
    """One way to keep events."""

    name: str
    table: str
    create: Sequence[str]
    indexes: Sequence[tuple[str, str]]  # name, what follows CREATE
    known: Callable[[psycopg.Cursor[Row], Sequence[Row]], set[bytes]]
    keys: str | None = None
    figures: list[tuple[float, float, float]] = field(default_factory=list)


def _look_up(table: str, bounds: str = "") -> Callable[[psycopg.Cursor[Row], Sequence[Row]], set[bytes]]:
    def known(cursor: psycopg.Cursor[Row], rows: Sequence[Row]) -> set[bytes]:
        moments = [row[7] for row in rows]
        asked: list[Any] = [[row[1] for row in rows]]
        cursor.execute(
            f"SELECT event_key FROM {table} WHERE event_key = ANY(%s::bytea[]){bounds}",
            [*asked, min(moments), max(moments)] if bounds else asked,
        )
        return {row[0] for row in cursor.fetchall()}

    return known


def _claim(cursor: psycopg.Cursor[Row], rows: Sequence[Row]) -> set[bytes]:
    ordered = sorted((row[1], row[8]) for row in rows)
    cursor.execute(
        "INSERT INTO keyed_keys SELECT * FROM unnest(%s::bytea[], %s::bigint[]) ON CONFLICT DO NOTHING RETURNING event_key",
        ([key for key, _ in ordered], [moment for _, moment in ordered]),
    )
    return {key for key, _ in ordered} - {row[0] for row in cursor.fetchall()}


def _partitions(table: str) -> list[str]:
    bounds = [_START_US + number * _MONTH_US for number in range(_MONTHS + 2)]
    return [
        f"CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES FROM ({low}) TO ({high})"
        for number, (low, high) in enumerate(pairwise(bounds))
    ]


def _indexes(table: str, *others: str) -> list[tuple[str, str]]:
    parts = ("({0} recipient_id, occurred_us)", "({0} domain, occurred_us)", "({0} received_us)")
    plain = [f"INDEX {table}_i{number} ON {table} {part.format('').replace('( ', '(')}" for number, part in enumerate(parts)]
    unique = [f"UNIQUE INDEX {table}_u{number} ON {table} {part}" for number, part in enumerate(others)]
    return [(line.split(" ON ")[0].rsplit(" ", 1)[1], line) for line in plain + unique]


def _layouts() -> list[Layout]:
    return [
        Layout(
            name="one table",
            table="flat",
            create=["CREATE TABLE flat (LIKE events)"],
            indexes=_indexes("flat", "(event_key)", "(id)"),
            known=_look_up("flat"),
        ),
        Layout(
            name="partitions, key with occurred",
            table="dated",
            create=["CREATE TABLE dated (LIKE events) PARTITION BY RANGE (occurred_us)", *_partitions("dated")],
            indexes=_indexes("dated", "(event_key, occurred_us)", "(id, occurred_us)"),
            known=_look_up("dated", " AND occurred_us BETWEEN %s AND %s"),
        ),
        Layout(
            name="partitions, keys of their own",
            table="keyed",
            create=[
                "CREATE TABLE keyed (LIKE events) PARTITION BY RANGE (received_us)",
                *_partitions("keyed"),
                "CREATE TABLE keyed_keys (event_key bytea NOT NULL, received_us bigint NOT NULL)",
            ],
            indexes=[*_indexes("keyed", "(id, received_us)"), ("keyed_keys_pk", "UNIQUE INDEX keyed_keys_pk ON keyed_keys (event_key)")],
            known=_claim,
            keys="keyed_keys",
        ),
    ]


def _fill(connection: psycopg.Connection[Row], layout: Layout, first: int, last: int) -> None:
    cursor = connection.cursor()
    for name, _ in layout.indexes:
        cursor.execute(f"DROP INDEX IF EXISTS {name}")
    if last >= first:
        values = {"first": first, "last": last, "start": _START_US, "step": (_NOW_US - _START_US) // (last - first + 1)}
        cursor.execute(_FILL.format(table=layout.table, columns=", ".join(_COLUMNS), **values))
        if layout.keys:
            source = f"SELECT event_key, received_us FROM {layout.table} WHERE id BETWEEN {first} AND {last}"
            cursor.execute(f"INSERT INTO {layout.keys} {source}")
    for _, line in layout.indexes:
        cursor.execute(f"CREATE {line}")
    connection.commit()


_made = 1_000_000_000


def _rows() -> list[Row]:
    global _made  # noqa: PLW0603 - a number that no other row has
    rows: list[Row] = []
    for _ in range(_BATCH):
        _made += 1
        key = blake2b(str(_made).encode(), digest_size=16)
        person = int(key.hexdigest()[:8], 16) % 400_000
        moment = _NOW_US + (_made - 1_000_000_000) * 1_000
        told = (key.hexdigest() + "@mail.example", key.hexdigest(), "delivered")
        rows.append(
            (_made, key.digest(), f"{_made:032}", 1, person, f"d{person % 2000}.example", "delivered", moment, moment + 2_000_000,
             1, "generic", "unknown", False, "", *told)
        )  # fmt: skip
    return rows


def _round(connection: psycopg.Connection[Row], layout: Layout) -> tuple[float, float, float]:
    cursor = connection.cursor()
    server = psutil.Process(connection.info.backend_pid)
    batches = [_rows() for _ in range(_BATCHES)]
    wal, began, used = _wal(cursor), time.perf_counter(), sum(server.cpu_times()[:2])
    for rows in batches:
        known = layout.known(cursor, rows)
        with cursor.copy(f"COPY {layout.table} ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                if row[1] not in known:
                    copy.write_row(row)
        connection.commit()
    events = _BATCH * _BATCHES / 1e6
    return (sum(server.cpu_times()[:2]) - used) / events, (time.perf_counter() - began) / events, (_wal(cursor) - wal) / events / 1e6


def _wal(cursor: psycopg.Cursor[Row]) -> float:
    cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
    [(position,)] = cursor.fetchall()
    return float(position)


def main(sizes: Sequence[int]) -> None:
    """Measure at each size, smallest first."""
    with own_server() as server, server.databases.fresh() as url:
        database = Database(url)
        schema.migrate(database)
        database.close()
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
            for setting in ("shared_buffers = '512MB'", "max_wal_size = '8GB'", "full_page_writes = on", "maintenance_work_mem = '256MB'"):
                admin.execute(f"ALTER SYSTEM SET {setting}")
        server.stop()
        server.start()
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            layouts = _layouts()
            for layout in layouts:
                for line in layout.create:
                    connection.execute(line)
            connection.commit()
            filled = 0
            for size in sorted(sizes):
                for layout in layouts:
                    _fill(connection, layout, filled + 1, size)
                    layout.figures.clear()
                filled = size
                connection.execute("ANALYZE")
                connection.commit()
                connection.autocommit = True
                connection.execute("CHECKPOINT")
                connection.autocommit = False
                for number in range(_ROUNDS):
                    for layout in layouts[number % len(layouts) :] + layouts[: number % len(layouts)]:
                        layout.figures.append(_round(connection, layout))
                _print(size, layouts)


def _print(size: int, layouts: Sequence[Layout]) -> None:
    for layout in layouts:
        cpu, clock, wal = (statistics.median(column) for column in zip(*layout.figures, strict=True))
        print(f"{size:>9} rows  {layout.name:<32} cpu {cpu:5.1f} us  clock {clock:5.1f} us  WAL {wal:6.0f} B an event", flush=True)


if __name__ == "__main__":
    os.nice(5)
    main([int(text) for text in sys.argv[1:]] or [0, 1_000_000, 5_000_000])
