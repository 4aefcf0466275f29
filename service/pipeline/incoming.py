"""What does the pipeline know of an event that is about to be recorded?"""

from service.alerting.counting import Attempt
from service.model.moments import hour_of
from service.model.values import passing
from service.pipeline.labelling import LabelledEvent
from service.store.ingest import HourlyKey, SourceRow


@passing(frozen=True, slots=True)
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
    def attempt(self) -> Attempt | None:
        """The event as the fold of its recipient sees it; None where it is in no rate: no attempt, or a test source."""
        return None if self.source.is_test else self.labelled.attempt

    @property
    def hourly_key(self) -> HourlyKey:
        """The row of the hourly roll-up that it is counted in."""
        labelled = self.labelled
        event = labelled.event
        return (labelled.domain, hour_of(labelled.occurred_us), self.source.id, event.sending_ip or "", event.campaign or "")
