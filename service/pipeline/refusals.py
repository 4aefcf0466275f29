"""How are refused posts counted beside the accepted ones, so that a source whose proof no longer holds is noticed?"""

from collections.abc import Mapping

from service.settings import Settings
from service.store import ingest
from service.store.database import Database
from service.store.source_alerts import REFUSED


def record_refused(database: Database, refused: Mapping[tuple[str, int], int], settings: Settings, now_us: int) -> None:
    """Add refused posts by configured source and UTC hour; raises DatabaseUnavailableError where the database is away."""
    wanted = {source.name: (source.esp, source.is_test) for name, _hour in refused if (source := settings.find_source(name))}
    with database.write() as connection:
        rows = ingest.ensure_sources(connection, wanted, now_us)
        ingest.count_outcomes(connection, {(rows[name].id, hour, REFUSED): count for (name, hour), count in refused.items()})
