"""Which troubles are on, whom do they hit, and what exactly did they refuse?"""

from dataclasses import dataclass, field
from random import Random

from bench.world.kinds import Kind
from bench.world.mailing import Mail

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One hard bounce that a trouble caused."""

    happened: float
    received: float
    has_denominator: bool  # its source reports deliveries too


@dataclass(slots=True, kw_only=True, eq=False)
class Trouble:
    """One incident and, per domain, everything it refused."""

    kind: Kind
    key: Key
    start: float
    end: float
    share: float  # chance that a live person is refused
    honesty: float = 0.0  # chance that the answer names the reason
    spared: int = 0  # mails accepted before the refusals begin
    spares_without_gateway: float = 0.0  # chance that a domain without a gateway is left alone
    number: int = 0  # given when it begins
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)

    def record(self, mail: Mail, received: float) -> None:
        """Note a refusal of this trouble."""
        refusal = Refusal(mail.at, received, mail.mail_list.source.reports_delivered)
        self.refusals.setdefault(mail.recipient.company.name, []).append(refusal)


class Troubles:
    """All troubles so far, found by what they hang on."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.all: list[Trouble] = []
        self._by_key: dict[Key, list[Trouble]] = {}
        self._immune: dict[tuple[int, str], bool] = {}

    def add(self, trouble: Trouble) -> None:
        """Begin a trouble."""
        self.all.append(trouble)
        trouble.number = len(self.all)
        self._by_key.setdefault(trouble.key, []).append(trouble)

    def forget(self, before: float) -> None:
        """Look no longer at what has ended."""
        for key, troubles in list(self._by_key.items()):
            self._by_key[key] = [trouble for trouble in troubles if trouble.end > before]
            if not self._by_key[key]:
                del self._by_key[key]

    def refusing(self, mail: Mail) -> Trouble | None:
        """The trouble that refuses this mail to a live person."""
        for key in keys_of(mail):
            for trouble in self._by_key.get(key, ()):
                if trouble.start <= mail.at < trouble.end and self._strikes(trouble, mail):
                    return trouble
        return None

    def _strikes(self, trouble: Trouble, mail: Mail) -> bool:
        if trouble.spared:
            trouble.spared -= 1
            return False
        return self._rng.random() < trouble.share and not self._is_immune(trouble, mail)

    def _is_immune(self, trouble: Trouble, mail: Mail) -> bool:
        company = mail.recipient.company
        if company.is_gateway or not trouble.spares_without_gateway:
            return False
        pair = (trouble.number, company.name)
        if pair not in self._immune:
            self._immune[pair] = self._rng.random() < trouble.spares_without_gateway
        return self._immune[pair]


def keys_of(mail: Mail) -> tuple[Key, ...]:
    """All that a trouble can hang on which this mail has."""
    company, source = mail.recipient.company, mail.mail_list.source
    return (
        ("domain", company.name),
        ("domain_source", company.name, source.name),
        ("vendor", company.vendor, mail.ip),
        ("campaign", mail.campaign),
        ("source", source.name),
    )
