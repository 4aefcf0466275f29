"""What does a delivery say?

No database is asked: it may be read before anything is locked, twice, or for a dry run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from service.alerting.policy import Policy
from service.esp_kit.adapter import Adapter
from service.model.errors import HoppError, UnreadableError
from service.model.events import ConfirmSubscription, Delivery, Parsed, Problem
from service.model.moments import to_us
from service.model.values import passing
from service.pipeline.labelling import LabelledEvent, Labels, label
from service.store.database import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What processing stands on."""

    database: Database
    adapters: Mapping[str, Adapter]
    labels: Labels
    policy: Policy
    test_sources: frozenset[str]
    perform: Callable[[ConfirmSubscription, str], None]  # the act and its source; raises HoppError where it fails


@passing(frozen=True, slots=True)
class ReadDelivery:
    """A delivery and what its adapter read from it."""

    delivery: Delivery
    received_us: int
    parsed: Parsed
    labelled: tuple[LabelledEvent, ...]


def read_delivery(delivery: Delivery, tools: Tools) -> ReadDelivery:
    """Parse and label one delivery; what cannot be read becomes a problem, never an error."""
    parsed = _parse(delivery, tools.adapters)
    if parsed.acts:
        parsed = _performed(parsed, delivery, tools)
    received_us = to_us(delivery.received_at)
    labelled = [label(event, source=delivery.source, received_us=received_us, labels=tools.labels) for event in parsed.events]
    return ReadDelivery(delivery, received_us, parsed, tuple(labelled))


def _parse(delivery: Delivery, adapters: Mapping[str, Adapter]) -> Parsed:
    adapter = adapters.get(delivery.esp)
    if adapter is None:
        return Parsed(problems=(Problem(error=f"There is no adapter {delivery.esp!r}. Start a version that has it, then replay."),))
    try:
        return adapter.parse(delivery)
    except UnreadableError as error:
        return Parsed(problems=(Problem(error=str(error)),))
    except Exception as error:
        log.exception("adapter_failed", delivery=delivery.id, source=delivery.source, esp=delivery.esp)
        return Parsed(problems=(Problem(error=f"The adapter {delivery.esp} failed: {type(error).__name__}. Report it, then replay."),))


def _performed(parsed: Parsed, delivery: Delivery, tools: Tools) -> Parsed:
    """What an adapter asks for is done; where that fails, it is a problem of the delivery."""
    problems = [problem for act in parsed.acts if (problem := _perform(act, delivery, tools)) is not None]
    return replace(parsed, problems=(*parsed.problems, *problems))


def _perform(act: ConfirmSubscription, delivery: Delivery, tools: Tools) -> Problem | None:
    """Acts come before the transaction: they may be done twice, but none is forgotten by a crash."""
    try:
        tools.perform(act, delivery.source)
    except HoppError as error:
        log.warning("act_failed", delivery=delivery.id, source=delivery.source, error=str(error))
        return Problem(error=str(error))
    log.info("subscription_confirmed", delivery=delivery.id, source=delivery.source)
    return None
