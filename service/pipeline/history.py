"""How does history from a file come in? Through the same steps as a webhook, but it teaches no lag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.model.events import Event
from service.model.moments import to_us
from service.pipeline.incoming import Incoming
from service.pipeline.labelling import label
from service.pipeline.reading import Tools
from service.pipeline.record import record
from service.store import ingest


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricEvent:
    """One event of a file, the source it names, and when it was received then."""

    event: Event
    source: str
    received_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a part of a file."""

    events: int
    duplicates: int


def import_events(history: Sequence[HistoricEvent], tools: Tools, *, import_id: str, now_us: int) -> Imported:
    """Record a part of a file in one transaction; what was imported or received before is a duplicate."""
    wanted = _sources(history, tools)
    with tools.database.write() as connection:
        known = ingest.find_sources(connection, list(wanted))
        # A source that is there keeps its ESP: a file says what its events are, not what an endpoint is.
        missing = {name: value for name, value in wanted.items() if name not in known}
        sources = known | ingest.ensure_sources(connection, missing, now_us)
        batch = []
        for item in history:
            # Where receipt is not known, the event's own time stands for it: the backtest's clock follows it.
            received_at = item.received_at or item.event.occurred_at
            # A moment that is yet to come would move the domain's windows there and leave them.
            received_us = min(now_us, to_us(received_at)) if received_at else now_us
            labelled = label(item.event, source=item.source, received_us=received_us, labels=tools.labels)
            batch.append(Incoming(labelled, sources[item.source], import_id, received_us, teaches_lag=False))
        recorded = record(connection, batch, policy=tools.policy, book=tools.labels.domains, now_us=now_us)
    return Imported(events=len(recorded.kept), duplicates=recorded.duplicates_by_delivery.total())


def _sources(history: Sequence[HistoricEvent], tools: Tools) -> Mapping[str, tuple[str, bool]]:
    return {item.source: (item.event.esp, item.source in tools.test_sources) for item in history}
