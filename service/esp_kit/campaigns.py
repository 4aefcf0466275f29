"""Which campaign did a mail belong to, where the ESP has no field for it but the sender named one in the metadata?"""

from collections.abc import Mapping

_NAMES = ("campaign", "hopp_campaign", "campaign_name", "campaign_id", "campaign-id")
_NAMED = frozenset(_NAMES)


def campaign_in(metadata: Mapping[str, str] | None) -> str | None:
    """The value of a metadata entry that is called campaign."""
    if not metadata or _NAMED.isdisjoint(metadata):
        return None
    return next((found for name in _NAMES if (found := metadata.get(name))), None)
