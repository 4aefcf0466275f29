"""What kind of recipient domain is this: people's own mail, a company, a company behind a gateway?"""

from collections.abc import Iterable
from typing import Self

from service.model.words import DomainClass


class DomainBook:
    """The consumer domains and the gateways that tell a company with a filter."""

    def __init__(self, consumer_domains: Iterable[str], security_vendors: Iterable[str] = ()) -> None:
        self._consumer = frozenset(consumer_domains)
        self._security = frozenset(security_vendors)

    @classmethod
    def load(cls, text: str, security_vendors: Iterable[str] = ()) -> Self:
        """Read the consumer domains from a list, one a line; `#` starts a comment."""
        lines = (line.partition("#")[0].strip().lower() for line in text.splitlines())
        return cls((line for line in lines if line), security_vendors)

    def domain_class(self, domain: str, gateway_vendor: str | None = None) -> DomainClass:
        """Give the class of a recipient's domain; a free-mail domain stays one whatever stands before it."""
        if domain.lower().rstrip(".") in self._consumer:
            return DomainClass.CONSUMER
        if gateway_vendor in self._security:
            return DomainClass.BUSINESS_GATEWAY
        return DomainClass.BUSINESS
