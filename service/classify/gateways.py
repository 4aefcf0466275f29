"""Which gateway or provider stands behind the name of a mail server?"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from service.model.errors import DataFileError


@dataclass(frozen=True, slots=True)
class Gateway:
    """Who answers for a domain."""

    vendor: str
    is_security_gateway: bool  # a filter in front of the mailboxes: it answers instead of them


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A host pattern, cut where its first label without a star begins."""

    head: re.Pattern[str] | None  # for the labels before the suffix
    gateway: Gateway
    weight: int  # literal characters: the longer pattern is the more precise one


class GatewayTable:
    """Host patterns by their suffix; `*` stands for any part of a name, a bare name for itself and all below it."""

    def __init__(self, patterns: Mapping[str, Gateway]) -> None:
        self._by_suffix: dict[str, list[_Pattern]] = {}
        for text, gateway in patterns.items():
            suffix, pattern = _cut(text, gateway)
            self._by_suffix.setdefault(suffix, []).append(pattern)
        for found in self._by_suffix.values():
            found.sort(key=lambda pattern: -pattern.weight)
        self.security_vendors = frozenset(gateway.vendor for gateway in patterns.values() if gateway.is_security_gateway)

    @classmethod
    def load(cls, text: str) -> Self:
        """Read the table from TOML: per vendor `security` and `hosts`."""
        patterns: dict[str, Gateway] = {}
        for vendor, entry in tomllib.loads(text).items():
            gateway = Gateway(vendor, entry["security"])
            for host in entry["hosts"]:
                if host in patterns:
                    raise DataFileError(f"gateways: host pattern `{host}` of {vendor} is {patterns[host].vendor}'s already; drop one")
                patterns[host] = gateway
        return cls(patterns)

    def find(self, host: str) -> Gateway | None:
        """Give the vendor of one host, by the longest pattern that fits on label boundaries."""
        labels = host.lower().rstrip(".").split(".")
        for cut in range(len(labels)):
            head = ".".join(labels[:cut])
            for pattern in self._by_suffix.get(".".join(labels[cut:]), ()):
                if pattern.head is None or pattern.head.fullmatch(head):
                    return pattern.gateway
        return None

    def find_among(self, hosts: Iterable[str]) -> Gateway | None:
        """Give the vendor of a domain's MX hosts, best first: any gateway among them is the one who answers."""
        found = [gateway for gateway in map(self.find, hosts) if gateway is not None]
        return next((gateway for gateway in found if gateway.is_security_gateway), found[0] if found else None)


def _cut(text: str, gateway: Gateway) -> tuple[str, _Pattern]:
    labels = text.lower().split(".")
    starred = [number for number, label in enumerate(labels) if "*" in label]
    cut = starred[-1] + 1 if starred else 0
    suffix = ".".join(labels[cut:])
    if not suffix:
        raise DataFileError(f"gateways: host pattern `{text}` of {gateway.vendor} has no fixed ending; give it one")
    weight = len(text.replace("*", ""))
    if not starred:
        return suffix, _Pattern(None, gateway, weight)
    if text.startswith("*.") and cut == 1:
        return suffix, _Pattern(re.compile(r".+"), gateway, weight)
    head = ".".join(re.escape(label).replace(r"\*", "[^.]*") for label in labels[:cut])
    return suffix, _Pattern(re.compile(rf"(?:.*\.)?{head}"), gateway, weight)
