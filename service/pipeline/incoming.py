"""What does the pipeline know of an event that is about to be recorded?"""

from dataclasses import dataclass

from service.alerting.counting import ATTEMPT_KINDS, Attempt, attempt
from service.model.moments import hour_of
from service.pipeline.labelling import LabelledEvent
from service.store.ingest import HourlyKey, SourceRow


@dataclass(frozen=True, slots=True)
class Incoming:
    """A labelled event and how it came."""

    labelled: LabelledEvent
    source: SourceRow
    delivery_id: str
    received_us: int
    teaches_lag: bool  # False for history from a file

    @property
    def address(self) -> str | None:
        """The recipient, where the event names one."""
        return self.labelled.event.recipient

    @property
    def is_attempt(self) -> bool:
        """True where it is counted in rates: delivered or bounced, to somebody, by no test source."""
        labelled = self.labelled
        is_final = labelled.event.kind in ATTEMPT_KINDS
        return is_final and bool(labelled.domain) and not self.source.is_test

    @property
    def attempt(self) -> Attempt:
        """The event as the fold of its recipient sees it."""
        labelled = self.labelled
        return attempt(
            kind=labelled.event.kind,
            occurred_us=labelled.occurred_us,
            key=labelled.key,
            is_hard=labelled.counts_as_hard,
            phase=labelled.event.phase,
            message_id=labelled.event.message_id,
        )

    @property
    def hourly_key(self) -> HourlyKey:
        """The row of the hourly roll-up that it is counted in."""
        labelled = self.labelled
        return (
            labelled.domain,
            hour_of(labelled.occurred_us),
            self.source.id,
            labelled.event.sending_ip or "",
            labelled.event.campaign or "",
        )
