"""Which labels belong together, and how lasting is each?"""

from collections.abc import Mapping
from enum import StrEnum

from service.model.words import Label, Persistence


class Group(StrEnum):
    """The coarse reading of a label: who would have to change something."""

    RECIPIENT = "recipient"  # the address cannot take mail any more: the only group that speaks against a person
    CAPACITY = "capacity"  # the mailbox is there, but this mail does not fit
    BLOCK = "block"  # somebody does not want this mail, this sender or this way of sending
    THROTTLE = "throttle"  # later or slower would do
    TECHNICAL = "technical"  # machines, networks and protocols
    NONE = "none"  # nothing that a remote server decided, or nothing that can be read


_GROUPS: Mapping[Group, tuple[Label, ...]] = {
    Group.RECIPIENT: (
        Label.INVALID_RECIPIENT,
        Label.INVALID_DOMAIN,
        Label.INACTIVE_MAILBOX,
        Label.RECIPIENT_MOVED,
    ),
    Group.CAPACITY: (Label.MAILBOX_FULL, Label.MESSAGE_TOO_LARGE),
    Group.BLOCK: (
        Label.REPUTATION_BLOCK,
        Label.CONTENT_BLOCK,
        Label.POLICY_BLOCK,
        Label.AUTH_FAILURE,
        Label.SENDER_REJECTED,
    ),
    Group.THROTTLE: (Label.RATE_LIMITED, Label.GREYLISTED),
    Group.TECHNICAL: (Label.PROTOCOL_ERROR, Label.SERVER_ERROR, Label.NETWORK_ERROR, Label.EXPIRED),
    Group.NONE: (Label.SUPPRESSED, Label.AUTO_REPLY, Label.UNDETERMINED),
}

GROUP_OF: Mapping[Label, Group] = {label: group for group, labels in _GROUPS.items() for label in labels}

_UNCLEAR = frozenset({Label.POLICY_BLOCK, Label.SUPPRESSED, Label.AUTO_REPLY})
_BY_CODE = frozenset({Label.SERVER_ERROR, Label.UNDETERMINED})


def usual_persistence(label: Label, code_class: str) -> Persistence:
    """Say how lasting a label is where its rule does not; `code_class` is "4", "5" or "" for a reply without a code.

    A refusal for reputation, content or authentication is temporary even with a 5xx: it ends when the sender mends
    something, and says nothing against the address.
    """
    if label in _UNCLEAR:
        return Persistence.UNCLEAR
    if label in _BY_CODE:
        return Persistence.TEMPORARY if code_class == "4" else Persistence.UNCLEAR
    if label is not Label.INACTIVE_MAILBOX and GROUP_OF[label] is Group.RECIPIENT and code_class == "4":
        return Persistence.UNCLEAR  # the words are final, the code is not
    if GROUP_OF[label] is Group.RECIPIENT and code_class != "4":
        return Persistence.PERMANENT
    return Persistence.TEMPORARY
