"""How are the sources doing, and which alerts about them open or close?

Asked once a minute by whoever evaluates. Rhythms are learnt once an hour, for they hardly change faster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from service.alerting.rhythm import NoRhythm, Rhythm, learn
from service.alerting.sources import (
    LONG_HOURS,
    SHORT_HOURS,
    Posts,
    SourceAlert,
    SourceChange,
    SourceHealth,
    SourceTrouble,
    SourceView,
    after_judging,
    closed,
    judge_source,
)
from service.model.moments import hour_of
from service.model.words import AlertState
from service.store import ingest
from service.store import source_alerts as store
from service.store.database import Connection
from service.store.source_alerts import StoredSourceAlert

Newest = Mapping[tuple[int, SourceTrouble], StoredSourceAlert]


class SourceTransition(NamedTuple):
    """What became of the alert about one trouble of one source."""

    source: str
    alert: SourceAlert
    change: SourceChange


@dataclass(frozen=True, slots=True)
class _Learnt:
    rhythm: Rhythm | NoRhythm
    last_hour: int


@dataclass(slots=True)
class SourceWatch:
    """Watches the configured sources (by name: ESP and test mark) that are no test sources."""

    sources: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    _learnt: dict[int, _Learnt] = field(default_factory=dict)
    _learnt_in_hour: int = -1

    def look(self, connection: Connection, *, now_us: int, watched_from_us: int = 0) -> list[SourceTransition]:
        """Judge every source, keep what was found, and return the transitions, most often none.

        Before `watched_from_us` Hopp itself was away: what it could not hear then is no silence.
        """
        now_hour = hour_of(now_us)
        ids = self._watched_ids(connection, now_us)
        self._learn(connection, ids, now_hour)
        posts = store.load_posts(connection, ids.values(), now_hour - LONG_HOURS + 1)
        judged = {
            source_id: judge_source(self._view(source_id, posts.get(source_id, {}), now_hour, hour_of(watched_from_us)))
            for source_id in ids.values()
        }
        store.save_health(connection, judged, now_us)
        newest = store.load_newest(connection)
        transitions = [
            SourceTransition(name, alert, change)
            for name, source_id in ids.items()
            for alert, change in _decide(connection, source_id, judged[source_id], newest, now_us)
        ]
        _let_go(connection, newest, set(judged), now_us)
        return transitions

    def _watched_ids(self, connection: Connection, now_us: int) -> Mapping[str, int]:
        """Also of those that never posted: from the first look on they are in the tables, where people look for them."""
        found = store.find_sources(connection, self.sources)
        missing = {name: self.sources[name] for name in self.sources.keys() - found.keys()}
        added = ingest.ensure_sources(connection, missing, now_us)
        found |= {name: row.id for name, row in added.items()}
        return {name: source_id for name, source_id in sorted(found.items()) if not self.sources[name][1]}

    def _learn(self, connection: Connection, ids: Mapping[str, int], now_hour: int) -> None:
        if self._learnt_in_hour == now_hour:
            return
        hours = store.load_posted_hours(connection, ids.values())
        self._learnt = {source_id: _Learnt(learn(posted), posted[-1]) for source_id, posted in hours.items()}
        self._learnt_in_hour = now_hour

    def _view(self, source_id: int, posts: Mapping[int, Posts], now_hour: int, watched_from_hour: int) -> SourceView:
        learnt = self._learnt.get(source_id)
        heard = [hour for hour, found in posts.items() if found.accepted] + ([learnt.last_hour] if learnt else [])
        return SourceView(
            rhythm=learnt.rhythm if learnt else NoRhythm.LEARNING,
            last_hour=max(heard, default=None),
            now_hour=now_hour,
            watched_from_hour=watched_from_hour,
            short=_sum(posts, now_hour - SHORT_HOURS + 1),
            long=_sum(posts, now_hour - LONG_HOURS + 1),
        )


def _sum(posts: Mapping[int, Posts], from_hour: int) -> Posts:
    return sum((found for hour, found in posts.items() if hour >= from_hour), Posts())


def _decide(
    connection: Connection, source_id: int, health: SourceHealth, newest: Newest, now_us: int
) -> Iterator[tuple[SourceAlert, SourceChange]]:
    """What becomes of the source's alerts; kept, and given on unless only figures changed."""
    for trouble in SourceTrouble:
        known = newest.get((source_id, trouble))
        outcome = after_judging(known.alert if known else None, trouble, health, now_us)
        if outcome is None:
            continue
        alert_id = None if known is None or outcome[1] is SourceChange.OPENED else known.id
        store.save_source_alert(connection, source_id, *outcome, alert_id=alert_id, now_us=now_us)
        if outcome[1] is not SourceChange.REFRESHED:
            yield outcome


def _let_go(connection: Connection, newest: Newest, watched: set[int], now_us: int) -> None:
    """A source that was taken out of the settings, or marked as a test, leaves no alert behind that nobody could close."""
    for stored in newest.values():
        if stored.source_id not in watched and stored.alert.state is AlertState.FIRING:
            outcome = closed(stored.alert, SourceChange.UNWATCHED, now_us)
            store.save_source_alert(connection, stored.source_id, *outcome, alert_id=stored.id, now_us=now_us)
