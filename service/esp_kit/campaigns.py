"""Which campaign did a mail belong to, where the ESP has no field for it but the sender named one in the metadata?"""

from collections.abc import Mapping

_NAMES = ("campaign", "hopp_campaign", "campaign_name", "campaign_id", "campaign-id")


def campaign_in(metadata: Mapping[str, str] | None) -> str | None:
    """The value of a metadata entry that is called campaign."""
    if metadata:
        for name in _NAMES:
            if found := metadata.get(name):
                return found
    return None
