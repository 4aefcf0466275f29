"""How well do labels agree with those that careful readers gave?"""

from collections.abc import Iterable
from dataclasses import dataclass

from service.classify.groups import GROUP_OF, Group
from service.model.events import Classification
from service.model.words import Doubt, Label

_BLOCK_LIKE = frozenset({Group.BLOCK, Group.THROTTLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What readers said about one answer."""

    text: str
    label: Label
    is_ambiguous_hard: bool  # permanent, points at the recipient, and is also given for live mailboxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares between 0 and 1; a share of nothing is 0 where less is better and 1 where more is."""

    rows: int
    fine: float  # same label
    coarse: float  # same group
    false_hard: float  # block-like answers taken for a dead address, without doubt
    hard_precision: float  # of what is called hard without doubt
    missed: float  # dead addresses that got a label of another group
    undetermined: float
    doubt_recall: float
    doubt_precision: float


def score(pairs: Iterable[tuple[Judged, Classification]]) -> Scores:
    """Compare what readers said with what the classifier says."""
    rows = list(pairs)
    hard_rows = [found for row, found in rows if GROUP_OF[row.label] is Group.RECIPIENT]
    block_rows = [found for row, found in rows if GROUP_OF[row.label] in _BLOCK_LIKE]
    called_hard = [row for row, found in rows if _is_hard(found)]
    ambiguous = [found for row, found in rows if row.is_ambiguous_hard]
    doubted = [row for row, found in rows if found.doubt is not Doubt.NONE]
    return Scores(
        rows=len(rows),
        fine=_share((row.label is found.label for row, found in rows), 1.0),
        coarse=_share((GROUP_OF[row.label] == found.group for row, found in rows), 1.0),
        false_hard=_share((_is_hard(found) for found in block_rows), 0.0),
        hard_precision=_share((GROUP_OF[row.label] is Group.RECIPIENT for row in called_hard), 1.0),
        missed=_share((found.group != Group.RECIPIENT for found in hard_rows), 0.0),
        undetermined=_share((found.label is Label.UNDETERMINED for _, found in rows), 0.0),
        doubt_recall=_share((found.doubt is not Doubt.NONE for found in ambiguous), 1.0),
        doubt_precision=_share((row.is_ambiguous_hard for row in doubted), 1.0),
    )


def _is_hard(found: Classification) -> bool:
    return found.group == Group.RECIPIENT and found.doubt is Doubt.NONE


def _share(flags: Iterable[bool], of_nothing: float) -> float:
    counted = list(flags)
    return sum(counted) / len(counted) if counted else of_nothing
