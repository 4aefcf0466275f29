"""Which figures does a web process count itself? Few labels, never a recipient or a recipient domain."""

import os
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_REASONS_MAX = 40  # adapters write free text: so many different ones get a label of their own, the rest are `other`
_REASON_LENGTH = 60
_RECEIVE_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class WebMetrics:
    """Counters of one web process; with PROMETHEUS_MULTIPROC_DIR set, all processes of the web add up."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        self._registry = CollectorRegistry()
        self._reasons: set[str] = set()
        self._lock = Lock()
        self.webhooks = Counter(
            "hopp_webhooks_total",
            "Webhook requests by source and by what became of them.",
            ("source", "outcome"),
            registry=self._registry,
        )
        self.refused = Counter(
            "hopp_webhooks_refused_total",
            "Webhook requests that did not prove where they come from.",
            ("source", "reason"),
            registry=self._registry,
        )
        self.webhook_bytes = Counter(
            "hopp_webhook_bytes_total",
            "Bytes of accepted webhook bodies, inflated.",
            ("source",),
            registry=self._registry,
        )
        self.webhook_seconds = Histogram(
            "hopp_webhook_seconds",
            "Time from the head of an accepted webhook until it was durable.",
            registry=self._registry,
            buckets=_RECEIVE_BUCKETS,
        )
        self.api_requests = Counter(
            "hopp_api_requests_total",
            "API requests by route and status.",
            ("route", "status"),
            registry=self._registry,
        )

    def count_refused(self, source: str, reason: str) -> None:
        """Count a refusal under its reason, as long as there are few different ones."""
        label = reason[:_REASON_LENGTH]
        with self._lock:
            if label not in self._reasons and len(self._reasons) >= _REASONS_MAX:
                label = "other"
            self._reasons.add(label)
        self.refused.labels(source, label).inc()

    def exposition(self) -> bytes:
        """All of it in Prometheus's text format."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if not folder:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
