"""What does a worker do all day? Take a batch, process it, let it leave the inbox; evaluate what is due; stop politely."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Signal

import structlog

from service.inbox.port import Inbox
from service.model.errors import InboxUnavailableError
from service.model.moments import SECOND_US, to_us
from service.pipeline.evaluate import Evaluator
from service.pipeline.process import Processed, process
from service.pipeline.reading import Tools
from service.store.answers import note_rules
from service.store.database import DatabaseUnavailableError

log = structlog.get_logger()
_REST_SECONDS = 0.2
_REST_US = SECOND_US // 5
_CAUGHT_UP_US = 60 * SECOND_US
_BACK_OFF_SECONDS = (1, 2, 5, 10)


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker process."""

    inbox: Inbox
    tools: Tools
    evaluator: Evaluator
    batch_deliveries: int
    now: Callable[[], datetime]
    stopping: Signal  # set by SIGTERM: the batch in hand is finished first
    _has_noted_rules: bool = False
    _may_rest: bool = False  # nothing waited for long: a batch of many costs little more than one of few, so let some gather

    def run(self) -> None:
        """Work until told to stop; whatever fails is tried again, for the deliveries wait in the inbox."""
        log.info("worker_started", rules=self.tools.labels.classifier.ruleset.version, deliveries_at_once=self.batch_deliveries)
        self._work()
        self._release()
        log.info("worker_stopped", deliveries="what waits in the inbox is kept")

    def _work(self) -> None:
        failures = 0
        while not self.stopping.is_set():
            try:
                self.step()
            except (DatabaseUnavailableError, InboxUnavailableError) as error:
                failures = self._back_off(failures, str(error))
                continue
            except Exception as error:
                if self.tools.database.answers():
                    log.exception("step_failed")
                failures = self._back_off(failures, type(error).__name__)
                continue
            if failures:
                log.info("step_succeeded_again", after_failures=failures)
                failures = 0
            if self._may_rest:
                self.stopping.wait(_REST_SECONDS)

    def _back_off(self, failures: int, error: str) -> int:
        wait_seconds = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
        log.error("step_failed_retrying", error=error, retry_in_seconds=wait_seconds, deliveries="wait in the inbox")
        self.stopping.wait(wait_seconds)
        return failures + 1

    def _release(self) -> None:
        """So that another worker evaluates at once, and nobody takes this one for alive; it runs out by itself where that fails."""
        try:
            self.evaluator.release(to_us(self.now()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not make a stop look like a crash
            log.warning("lease_not_released", error=type(error).__name__)

    def step(self) -> Processed:
        """Process one batch, then evaluate what is due; returns what was done."""
        self._note_rules()
        with self.inbox.take(self.batch_deliveries) as batch:
            done = process(batch.deliveries, self.tools, now_us=to_us(self.now()))
            if batch.deliveries:
                batch.done()
        now_us = to_us(self.now())
        waited_us = now_us - to_us(batch.deliveries[-1].received_at) if batch.deliveries else 0
        # A batch is taken in the order of receipt, and may be cut short by the size of its bodies: so its newest tells what still waits.
        self.evaluator.run(now_us, is_caught_up=waited_us < _CAUGHT_UP_US)
        self._may_rest = waited_us < _REST_US
        return done

    def _note_rules(self) -> None:
        """Once, before the first batch: since when these rules are in use."""
        if self._has_noted_rules:
            return
        with self.tools.database.write() as connection:
            note_rules(connection, self.tools.labels.classifier.ruleset.version, to_us(self.now()))
        self._has_noted_rules = True
