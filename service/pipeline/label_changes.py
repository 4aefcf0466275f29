"""Which labels would change, how often, and for which wordings?"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.pipeline.relabel import Change
from service.pipeline.undetermined import wording_of

_WORDINGS_KEPT = 500  # for each pair of labels
_WORDINGS_SHOWN = 3


@dataclass(slots=True, kw_only=True)
class LabelChange:
    """Events that go from one label to another; or keep it, but change rule, persistence, doubt or gateway."""

    before: str | None
    after: str | None
    count: int = 0
    becomes_hard: int = 0  # where the ESP does not say, the label's persistence decides
    no_longer_hard: int = 0
    wordings: Counter[str] = field(default_factory=Counter)

    def top_wordings(self) -> list[tuple[str, int]]:
        """The most frequent; equal counts in alphabetical order."""
        return sorted(self.wordings.items(), key=lambda item: (-item[1], item[0]))[:_WORDINGS_SHOWN]


@dataclass(slots=True)
class LabelChanges:
    """All changes that a replay found."""

    by_labels: dict[tuple[str | None, str | None], LabelChange] = field(default_factory=dict)
    read: int = 0

    def add(self, read: int, found: Iterable[Change]) -> None:
        """Count the changes among so many events."""
        self.read += read
        for change in found:
            before, after = change.stored.values.label, change.now.label
            known = self.by_labels.setdefault((before, after), LabelChange(before=before, after=after))
            known.count += 1
            known.becomes_hard += change.hard_delta > 0
            known.no_longer_hard += change.hard_delta < 0
            words = wording_of(change.stored.event.diagnostic or "", change.stored.event.recipient)
            if words in known.wordings or len(known.wordings) < _WORDINGS_KEPT:
                known.wordings[words] += 1

    def ranked(self) -> list[LabelChange]:
        """Other labels first, the most frequent first."""
        return sorted(self.by_labels.values(), key=lambda item: (item.before == item.after, -item.count, str(item.before), str(item.after)))

    @property
    def changed(self) -> int:
        """How many events change at all."""
        return sum(item.count for item in self.by_labels.values())
