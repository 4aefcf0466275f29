"""Is the last day of each source counted on its own, on both databases?"""

from service.alerting.sources import Posts
from service.model.moments import hour_of, to_us
from service.store import ingest
from service.store.database import Database
from service.store.reading.arrivals import Arrivals, load_arrivals
from tests.pipeline.worlds import START, database_at

HOUR = hour_of(to_us(START))


def found_in(database: Database, counts: dict[tuple[str, int, str], int]) -> dict[str, Arrivals]:
    with database.write() as connection:
        rows = ingest.ensure_sources(connection, {name: ("generic", False) for name, _, _ in counts}, to_us(START))
        ingest.count_outcomes(connection, {(rows[name].id, hour, outcome): count for (name, hour, outcome), count in counts.items()})
    with database.read() as connection:
        return load_arrivals(connection)


def test_each_source_has_a_last_day_of_its_own(database_url: str) -> None:
    database = database_at(database_url)
    found = found_in(
        database,
        {
            ("acme", HOUR, "deliveries"): 5,
            ("acme", HOUR, "duplicates"): 9,
            ("acme", HOUR - 23, "deliveries"): 2,
            ("acme", HOUR - 23, "quarantined"): 2,
            ("acme", HOUR - 23, "released"): 1,
            ("acme", HOUR - 24, "refused"): 7,
            ("weekly", HOUR - 100, "refused"): 3,
            ("weekly", HOUR - 99, "challenged"): 4,
            ("history", HOUR, "events"): 8,
        },
    )
    assert found == {
        "acme": Arrivals(posts=Posts(accepted=7), unread=1),
        "weekly": Arrivals(posts=Posts(refused=3, challenged=4)),
    }
    database.close()
