"""Which troubles can happen in the world, and which of them hit one domain or many?"""

from enum import StrEnum


class Kind(StrEnum):
    """What really happened; never written into the stream, only into the truth."""

    BLOCK = "block"  # one domain's server refuses live people
    VELOCITY = "velocity"  # it takes the first few mails of a burst and refuses the rest
    TURNOVER = "turnover"  # a company lays off a good part of its people at once
    REPUTATION = "reputation"  # one gateway vendor refuses one sending address
    CONTENT = "content"  # many servers refuse one mailing
    ESP_FAULT = "esp_fault"  # an ESP bounces nearly everything
    OLD_LIST = "old_list"  # no trouble at all, but a reason to bounce


SINGLE_BLOCKS = frozenset({Kind.BLOCK, Kind.VELOCITY})
MANY_DOMAINS = frozenset({Kind.REPUTATION, Kind.CONTENT, Kind.ESP_FAULT})
