"""Is it as fast with millions of stored events as with none? Fills both databases through the very processing that runs live.

Time runs on as events come in, people are drawn from a million, and each chunk's cost is taken as it is written: so the tables at
each size are what they would be after so many real events.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from statistics import median
from typing import TypedDict

from sqlalchemy import text

from bench.process import BATCH, batches_of, feed, tools_on
from bench.results import Goal, Section, Table, shown
from bench.setting import Bench, postgres, say
from bench.traffic import Mail
from service.pipeline.reading import Tools

_EVENTS = 5_000_000
_CHUNK = 10_000
_WINDOW_CHUNKS = 10  # whose median stands for a size
_SIZES = (0, 250_000, 500_000, 1_000_000, 2_000_000, 3_500_000, _EVENTS)
_PEOPLE = 1_000_000
_RANDOM = (
    "Keys and addresses come in no order: once their indexes are larger than a batch, each of its rows touches pages of its own. "
    "And more people are known, whose earlier mails are read with a new one."
)


class Chunk(TypedDict):
    """What 10,000 events took."""

    us: float
    per_second: float


class AtSize(TypedDict):
    """Medians around one size."""

    stored: int
    us: float
    per_second: float


class Grown(TypedDict):
    """One database from empty to full."""

    sizes: list[AtSize]
    bytes_each: float  # on disk, each event, with its raw delivery, people, roll-ups and all indexes


def measure(bench: Bench) -> Section:
    """PostgreSQL, then SQLite; each is one step that can be gone on from."""
    events = bench.count(_EVENTS, least=2 * _CHUNK)
    on_postgres = bench.once(f"size postgresql {events}", lambda: _on_postgres(events))
    on_sqlite = bench.once(f"size sqlite {events}", lambda: _on_sqlite(bench, events))
    return _section(events, on_postgres, on_sqlite)


def _on_postgres(events: int) -> Grown:
    with postgres() as (server, postmaster), server.databases.fresh() as url, tools_on(url) as tools:
        return _grown(tools, events, postmaster, "SELECT pg_database_size(current_database())")


def _on_sqlite(bench: Bench, events: int) -> Grown:
    with bench.fresh_folder() as folder, tools_on(f"sqlite:///{folder}/hopp.sqlite") as tools:
        return _grown(tools, events, None, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")


def _grown(tools: Tools, events: int, postmaster: int | None, size_query: str) -> Grown:
    sizes = at_sizes(list(_filled(tools, events, postmaster)), events)
    with tools.database.read() as connection:
        return Grown(sizes=sizes, bytes_each=int(connection.execute(text(size_query)).scalar_one()) / events)


def _filled(tools: Tools, events: int, postmaster: int | None) -> Iterator[Chunk]:
    mail = Mail(people=_PEOPLE, newest=datetime.now(UTC), spread=timedelta(days=30))
    began, told = time.perf_counter(), 0.0
    chunk = chunk_of(events)
    for start in range(0, events, chunk):
        stop = min(start + chunk, events)
        cost = feed(tools, batches_of(range(start, stop), seed=1, total=events, mail=mail), postmaster)
        yield Chunk(us=cost.us, per_second=cost.per_second)
        if time.perf_counter() - told > 15:  # noqa: PLR2004 - seconds between two signs of life
            told = time.perf_counter()
            left = (told - began) / stop * (events - stop)
            say(f"  {stop:>9,} stored, {cost.us:5.1f} us each, {cost.per_second:7,.0f} a second, about {left / 60:.0f} min left")


def chunk_of(events: int) -> int:
    """Whole batches; small where the whole is small, so that each size still has chunks of its own."""
    return max(BATCH, min(_CHUNK, events // 100 // BATCH * BATCH))


def at_sizes(chunks: Sequence[Chunk], events: int) -> list[AtSize]:
    """Medians of the chunks around each size; the first chunk warms rules and plans and is left out."""
    found = []
    for size in sorted({size * events // _EVENTS for size in _SIZES}):
        start = min(max(size // chunk_of(events), 1), max(len(chunks) - _WINDOW_CHUNKS, 1))
        window = chunks[start : start + _WINDOW_CHUNKS] or chunks
        found.append(
            AtSize(stored=size, us=median(item["us"] for item in window), per_second=median(item["per_second"] for item in window))
        )
    return found


def _section(events: int, postgresql: Grown, sqlite: Grown) -> Section:
    on_postgres, on_sqlite = postgresql["sizes"], sqlite["sizes"]
    disk = (
        f"On disk an event takes {shown(postgresql['bytes_each'])} bytes on PostgreSQL, {shown(sqlite['bytes_each'])} on SQLite: with its "
        "raw delivery (one for each event), people, roll-ups and all indexes."
    )
    kept = [on_postgres[0]["us"] / on_postgres[-1]["us"]]
    up_to_a_million = [item["us"] for item in on_sqlite if item["stored"] <= events // 5]
    goals = (
        Goal(
            what=f"PostgreSQL: speed with {events:,} events stored / with none, by CPU",
            wanted=0.85,
            reached=kept,
            bound=_RANDOM,
        ),
        Goal(
            what=f"SQLite: CPU each event, the most up to {events // 5:,} stored events",
            wanted=60,
            reached=[max(up_to_a_million)],
            sense="at most",
            unit="µs",
            bound=_RANDOM,
        ),
    )
    rows = [
        (f"{one['stored']:,}", shown(one["us"]), shown(one["per_second"]), shown(two["us"]), shown(two["per_second"]))
        for one, two in zip(on_postgres, on_sqlite, strict=True)
    ]
    head = ("events stored", "PostgreSQL: µs each", "a second, one worker", "SQLite: µs each", "a second")
    return Section(
        key="size",
        title=f"Large tables: up to {events:,} stored events",
        goals=goals,
        body=(Table(head=head, rows=rows), pays(on_postgres, on_sqlite), disk),
    )


def pays(on_postgres: Sequence[AtSize], on_sqlite: Sequence[AtSize]) -> str:
    """From which size on PostgreSQL is faster, there and at all larger ones."""
    kept = on_sqlite[0]["us"] / on_sqlite[-1]["us"]
    words = f"SQLite keeps {shown(kept)} of its speed at {on_sqlite[-1]['stored']:,} events."
    pairs = reversed(list(zip(on_postgres, on_sqlite, strict=True)))
    slower = [two["stored"] for one, two in takewhile(lambda pair: pair[1]["per_second"] < pair[0]["per_second"], pairs)]
    if slower:
        return f"{words} From about {slower[-1]:,} stored events on a worker is faster on PostgreSQL: there moving pays."
    return f"{words} Up to there a worker is faster on SQLite than on PostgreSQL: moving pays for other reasons first (several hosts)."
