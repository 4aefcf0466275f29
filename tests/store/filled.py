"""A database with five months of made-up events, written by the database itself."""

from sqlalchemy import text

from service.model.moments import DAY_US, hour_of, to_us
from service.store import partitions, schema
from service.store.database import Database
from tests.pipeline.worlds import START

NOW_US = to_us(START) + 18 * DAY_US  # the newest month is not nearly empty
MONTHS = 5
EVENTS, PEOPLE, DOMAINS, HOURS = 40_000, 20_000, 400, 20_000
STEP_US = MONTHS * 30 * DAY_US // EVENTS

_NUMBERS = {
    "postgresql": "SELECT g FROM generate_series(1, {count}) g",
    "sqlite": "WITH RECURSIVE n(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM n WHERE g < {count}) SELECT g FROM n",
}
_KEY = {"postgresql": "decode(md5(g::text), 'hex')", "sqlite": "CAST(printf('%016d', g) AS blob)"}
_BODY = {"postgresql": "decode('28', 'hex')", "sqlite": "x'28'"}
_FILL = """
INSERT INTO sources (name, esp, is_test, first_seen_us) VALUES ('acme', 'generic', false, 1);
INSERT INTO recipients
SELECT g, 'p' || g || '@d' || mod(g, {domain_count}) || '.example', 'd' || mod(g, {domain_count}) || '.example', 1, 0, 0, 0, 1, 1, {key}
FROM ({people}) made;
INSERT INTO recipient_domains SELECT 'd' || (g - 1) || '.example', 'business', '', {hour}, 0, 0, {now} FROM ({domains}) made;
INSERT INTO domain_hourly
SELECT 'd' || mod(g, {domain_count}) || '.example', {hour} - g / 8, 1, '', 'c' || g, 1, 0, 0, 0, 0, 0, 1, 1 FROM ({hours}) made;
INSERT INTO events (event_key, delivery_id, source_id, recipient_id, domain, kind, occurred_us, received_us, cell, esp, phase,
    counts_as_hard, gateway, diagnostic)
SELECT {key}, 'x', 1, mod(g, {person_count}) + 1, 'd' || mod(mod(g, {person_count}) + 1, {domain_count}) || '.example', 'delivered',
    {moment}, {moment}, CASE WHEN mod(g, 50) = 0 THEN 4 ELSE 1 END, 'generic', 'unknown', false, '', 'ok'
FROM ({events}) made;
INSERT INTO deliveries
SELECT CAST(g AS varchar(32)), 1, {moment}, CASE WHEN mod(g, 1000) = 0 THEN 'quarantined' ELSE 'processed' END, 1, 0, 0, NULL, '', '',
    '', {body}
FROM ({events}) made;
"""
_KEYS = "INSERT INTO event_keys SELECT event_key, received_us FROM events"


def filled(url: str) -> Database:
    """Migrate the database and fill it; what a planner wants to know is counted."""
    database = Database(url)
    schema.migrate(database)
    dialect = "sqlite" if database.is_sqlite else "postgresql"
    counts = {"people": PEOPLE, "domains": DOMAINS, "hours": HOURS, "events": EVENTS}
    values: dict[str, object] = {name: _NUMBERS[dialect].format(count=count) for name, count in counts.items()}
    values |= {"key": _KEY[dialect], "body": _BODY[dialect], "moment": f"{NOW_US} - ({EVENTS} - g) * CAST({STEP_US} AS bigint)"}
    values |= {"hour": hour_of(NOW_US), "now": NOW_US, "domain_count": DOMAINS, "person_count": PEOPLE}
    with database.write() as connection:
        for table in partitions.PARTITIONED:
            partitions.ensure(connection, table, [NOW_US - number * 10 * DAY_US for number in range(MONTHS * 3 + 1)])
        for statement in _FILL.format(**values).split(";\n")[:-1]:
            connection.execute(text(statement))
        if not database.is_sqlite:
            connection.execute(text(_KEYS))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if dialect == "postgresql" else "ANALYZE"))
    database.close()  # what these sessions did is not counted for a question that comes next
    return database
