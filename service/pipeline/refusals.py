"""How are refused posts counted beside the accepted ones, so that a source whose proof no longer holds is noticed?"""

from collections.abc import Mapping
from typing import NamedTuple

from service.settings import Settings
from service.store import ingest
from service.store.database import Database
from service.store.source_alerts import CHALLENGED, REFUSED


class RefusedPost(NamedTuple):
    """What is counted of a refused post."""

    source: str
    hour: int  # of receipt, UTC
    is_challenged: bool  # it came without a password and was asked for it


def record_refused(database: Database, refused: Mapping[RefusedPost, int], settings: Settings, now_us: int) -> None:
    """Add refused posts of configured sources; raises DatabaseUnavailableError where the database is away."""
    wanted = {source.name: (source.esp, source.is_test) for post in refused if (source := settings.find_source(post.source))}
    with database.write() as connection:
        rows = ingest.ensure_sources(connection, wanted, now_us)
        counts = {
            (rows[post.source].id, post.hour, CHALLENGED if post.is_challenged else REFUSED): count for post, count in refused.items()
        }
        ingest.count_outcomes(connection, counts)
