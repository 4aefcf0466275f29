"""What does the log say of deliveries that could not be read? One line for each batch, source and reason, so that none can flood it."""

from collections import Counter
from collections.abc import Iterable

import structlog

from service.model.events import Delivery

log = structlog.get_logger()
_LINES_MAX = 20  # of one batch: a reason may quote a word of the body, so whoever posts can make them all different


def tell_quarantined(unread: Iterable[tuple[Delivery, str]]) -> None:
    """Log what went into quarantine: a delivery to look at, why it could not be read, and how many were like it."""
    alike: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for delivery, reason in unread:
        alike[delivery.source, reason] += 1
        first.setdefault((delivery.source, reason), delivery.id)
    for (source, reason), count in alike.most_common(_LINES_MAX):
        log.warning("delivery_quarantined", delivery=first[source, reason], source=source, reason=reason, alike=count)
