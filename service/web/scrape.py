"""What does Prometheus get to see? What this process counts, and what small tables say about all of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from flask import Flask, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.alerting.drift import Drift
from service.alerting.sources import SourceTrouble
from service.bootstrap import Hopp
from service.inbox.port import Inbox, SourceWaiting
from service.model.moments import SECOND_US, to_us
from service.store.reading.drift import Understanding
from service.store.reading.health import Health, HealthReader, SourceHealth, WatchedSource
from service.telemetry.metrics import WebMetrics

log = structlog.get_logger()


def register_scrape(app: Flask, hopp: Hopp, metrics: WebMetrics) -> None:
    """Add /metrics."""
    registry = CollectorRegistry()
    registry.register(StateCollector(hopp))

    def scrape() -> Response:
        return Response(metrics.exposition() + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/metrics", "metrics", scrape)


class StateCollector(Collector):
    """Asks inbox and database at each scrape; where one does not answer, the rest is given."""

    def __init__(self, hopp: Hopp) -> None:
        self._hopp = hopp
        self._reader = HealthReader(hopp.database)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The state right now."""
        now = self._hopp.now()
        yield from _inbox_metrics(self._hopp.inbox, [source.name for source in self._hopp.settings.sources], now)
        health = self._reader.read(to_us(now))
        yield GaugeMetricFamily("hopp_database_up", "1 while the main database answers, else 0.", value=float(health is not None))
        if health is not None:
            yield from _health_metrics(health, to_us(now))


def _inbox_metrics(inbox: Inbox, sources: Iterable[str], now: datetime) -> Iterable[Metric]:
    try:
        state = inbox.state()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other figures are still wanted
        log.warning("inbox_unreadable", error=type(error).__name__)
        yield _inbox_up(0)
        return
    yield _inbox_up(1)
    oldest = state.oldest_received_at
    age = max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0
    yield GaugeMetricFamily("hopp_inbox_waiting", "Deliveries that wait to be processed.", value=state.waiting)
    yield GaugeMetricFamily("hopp_inbox_oldest_seconds", "How long the oldest of them has waited; 0 where none waits.", value=age)
    if state.sources is not None:
        yield from _waiting_metrics(state.sources, sources, now)


def _waiting_metrics(waiting_of: Mapping[str, SourceWaiting], sources: Iterable[str], now: datetime) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("hopp_source_inbox_waiting", "Deliveries of a source among the oldest that wait.", labels=("source",))
    waited = GaugeMetricFamily("hopp_source_inbox_oldest_seconds", "How long the oldest delivery of a source waited.", labels=("source",))
    for name in sources:
        found = waiting_of.get(name)
        waiting.add_metric((name,), found.waiting if found else 0)
        waited.add_metric((name,), max((now - found.oldest_received_at).total_seconds(), 0.0) if found else 0.0)
    yield waiting
    yield waited


def _inbox_up(value: int) -> Metric:
    return GaugeMetricFamily("hopp_inbox_up", "1 while the inbox answers, else 0.", value=value)


def _health_metrics(health: Health, now_us: int) -> Iterable[Metric]:
    events = CounterMetricFamily("hopp_events", "What became of everything received, by source and outcome.", labels=("source", "outcome"))
    for (source, outcome), count in sorted(health.outcomes.items()):
        events.add_metric((source, outcome), count)
    yield events
    alerts = GaugeMetricFamily("hopp_alerts", "Alerts by state and severity.", labels=("state", "severity"))
    for (state, severity), count in sorted(health.alerts.items()):
        alerts.add_metric((state, severity), count)
    yield alerts
    overdue = max(now_us - health.oldest_due_us, 0) / SECOND_US if health.oldest_due_us is not None else 0.0
    yield GaugeMetricFamily("hopp_due_checks", "Recipient domains that wait for their denominator.", value=health.due_checks)
    yield GaugeMetricFamily("hopp_due_checks_overdue_seconds", "How long the oldest check has been due; 0 where none is.", value=overdue)
    yield from _source_metrics(health.sources, now_us)
    yield from _watch_metrics(health.watched)
    yield from _understanding_metrics(health.understood.sources)


def _source_metrics(sources: Iterable[SourceHealth], now_us: int) -> Iterable[Metric]:
    quiet = GaugeMetricFamily("hopp_source_quiet_seconds", "Seconds since a source's last event was received.", labels=("source",))
    lag = GaugeMetricFamily(
        "hopp_source_lag_seconds", "95th percentile of how long after a delivery its webhook comes.", labels=("source",)
    )
    for source in sources:
        quiet.add_metric((source.name,), max(now_us - source.last_received_us, 0) / SECOND_US)
        lag.add_metric((source.name,), source.lag_seconds)
    yield quiet
    yield lag


def _watch_metrics(sources: Iterable[WatchedSource]) -> Iterable[Metric]:
    alerts = GaugeMetricFamily("hopp_source_alerts", "1 while this alert about the source fires, else 0.", labels=("source", "alert"))
    missed = GaugeMetricFamily("hopp_source_missed_hours", "Hours with posts to be expected since a source's last one.", labels=("source",))
    allowed = GaugeMetricFamily("hopp_source_allowed_hours", "So many missed hours are silence; none without a rhythm.", labels=("source",))
    for source in sources:
        for trouble in SourceTrouble:
            alerts.add_metric((source.name, trouble.value), float(trouble.value in source.firing))
        missed.add_metric((source.name,), source.missed_hours)
        if source.allowed_hours is not None:
            allowed.add_metric((source.name,), source.allowed_hours)
    yield alerts
    yield missed
    yield allowed


def _understanding_metrics(sources: Iterable[Understanding]) -> Iterable[Metric]:
    share = GaugeMetricFamily("hopp_source_undetermined_share", "Share of answers in 24 hours that no rule knows.", labels=("source",))
    before = GaugeMetricFamily("hopp_source_undetermined_share_before", "The same in the 28 days before.", labels=("source",))
    drift = GaugeMetricFamily("hopp_source_undetermined_jump", "1 while the share is far above what is usual, else 0.", labels=("source",))
    for source in sources:
        share.add_metric((source.name,), source.today.share)
        before.add_metric((source.name,), source.before.share)
        drift.add_metric((source.name,), float(source.drift is Drift.JUMPED))
    yield share
    yield before
    yield drift
