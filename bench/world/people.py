"""Who lives in the world: companies, their people, and the lists that mail them.

Sizes are heavy-tailed: most companies have one to five people on a list, a few have hundreds.
"""

from dataclasses import dataclass, field
from random import Random

from bench.world.clock import DAY, working_day
from bench.world.sources import Source, deal_sources
from bench.world.wording import CONSUMER_DOMAINS, GATEWAYS, MAILBOX_HOSTS

MONTH = 30 * DAY

DOMAINS_PER_LIST = 80
FEWEST_LISTS = 12
# days between two mailings of a list and the share of such lists; 0 is transactional mail, some every day
RHYTHMS = ((7, 0.36), (14, 0.30), (30, 0.29), (0, 0.05))
TRANSACTIONAL_DAILY = 0.07  # chance of a person to get a transactional mail on a working day

GATEWAY_SHARE = 0.45
MEDIAN_PEOPLE, COMPANY_SIGMA, LIST_SIGMA, MOST_PEOPLE = 2.3, 1.25, 0.7, 900
MORE_LISTS = 0.46  # chance that a company is on yet another list
CONSUMERS_PER_DOMAIN = 4.2  # people at consumer providers for each domain of the world

BUSINESS_TURNOVER, BUSINESS_TURNOVER_SIGMA = 0.022, 0.55  # a month, and how much companies differ
CONSUMER_TURNOVER = 0.0045
TYPO_SHARE = 0.05  # of the addresses that join
JOINING = 0.025  # of a list in a month


@dataclass(slots=True, eq=False)
class Recipient:
    """One address; alive until `leaves_at`, mailed again from `resumes_at`."""

    number: int
    company: "Company"
    leaves_at: float
    resumes_at: float = 0.0
    hard_bounces: int = 0
    fate: object = None  # the layoff that took this person

    @property
    def address(self) -> str:
        """The made-up address."""
        return f"p{self.number:07d}@{self.company.name}"


@dataclass(slots=True, kw_only=True, eq=False)
class Company:
    """One recipient domain; a consumer provider is one too."""

    name: str
    vendor: str
    host: str
    is_consumer: bool
    is_gateway: bool
    monthly_turnover: float
    people: list[Recipient] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class MailList:
    """People whom one sender mails together."""

    name: str
    source: Source
    ips: tuple[str, ...]
    interval_days: int
    next_day: int
    is_grouped: bool  # the ESP sends domain by domain
    people: list[Recipient] = field(default_factory=list)
    is_old_import: bool = False
    mailings_left: int | None = None  # None: for ever


@dataclass(slots=True, kw_only=True)
class Population:
    """All companies and lists, and the maker of new people."""

    rng: Random
    companies: list[Company] = field(default_factory=list)
    lists: list[MailList] = field(default_factory=list)
    born: int = 0

    def add_person(self, company: Company, now: float, *, dead_share: float) -> Recipient:
        """A new address at a company, gone already with this chance."""
        leaves_at = now + self.rng.expovariate(company.monthly_turnover / MONTH)
        if self.rng.random() < dead_share:
            leaves_at = now - 1
        self.born += 1
        person = Recipient(self.born, company, leaves_at)
        company.people.append(person)
        return person

    def add_list(self, name: str, source: Source, interval_days: int, next_day: int) -> MailList:
        """A new empty list of some sender."""
        ips = tuple(self.rng.sample(source.ips, self.rng.choice((1, 1, 2))))
        grouped = self.rng.random() < 1 / 2
        mail_list = MailList(name=name, source=source, ips=ips, interval_days=interval_days, next_day=next_day, is_grouped=grouped)
        self.lists.append(mail_list)
        return mail_list


def found(rng: Random, domains: int) -> Population:
    """The people of the world on its first day."""
    population = Population(rng=rng)
    consumers = [_consumer(name) for name in CONSUMER_DOMAINS[: max(2, domains // 100)]]
    population.companies = consumers + [_business(rng, number) for number in range(domains - len(consumers))]
    _found_lists(population, max(FEWEST_LISTS, domains // DOMAINS_PER_LIST))
    for company in population.companies[len(consumers) :]:
        _enlist(population, company)
    _enlist_consumers(population, consumers, round(CONSUMERS_PER_DOMAIN * domains))
    return population


def _consumer(name: str) -> Company:
    return Company(name=name, vendor="consumer", host=f"mx1.{name}", is_consumer=True, is_gateway=False, monthly_turnover=CONSUMER_TURNOVER)


def _business(rng: Random, number: int) -> Company:
    label = f"d{number:05d}"
    name = f"{label}.example"
    is_gateway = rng.random() < GATEWAY_SHARE
    hosts = GATEWAYS if is_gateway else MAILBOX_HOSTS
    vendor = rng.choices(list(hosts), weights=[share for share, _ in hosts.values()])[0]
    host = hosts[vendor][1].format(number=1000 + number, digit=1 + number % 5, label=label, domain=name)
    turnover = BUSINESS_TURNOVER * rng.lognormvariate(0, BUSINESS_TURNOVER_SIGMA)
    return Company(name=name, vendor=vendor, host=host, is_consumer=False, is_gateway=is_gateway, monthly_turnover=turnover)


def _found_lists(population: Population, count: int) -> None:
    rng = population.rng
    intervals = [days for days, share in RHYTHMS for _ in range(max(1, round(share * count)))]
    sources = deal_sources(rng, len(intervals))
    for number, (interval, source) in enumerate(zip(intervals, sources, strict=True)):
        population.add_list(f"list-{number:03d}", source, interval, working_day(rng, rng.randrange(interval)) if interval else 0)


def _enlist(population: Population, company: Company) -> None:
    rng = population.rng
    size = MEDIAN_PEOPLE * rng.lognormvariate(0, COMPANY_SIGMA)
    lists = 1
    while rng.random() < MORE_LISTS:
        lists += 1
    for mail_list in rng.sample(population.lists, min(lists, len(population.lists))):
        for _ in range(people_on_list(rng, size)):
            # whoever left since the last mailing before the world began is still on the list
            dead_share = company.monthly_turnover * mail_list.interval_days / 30 * rng.random()
            mail_list.people.append(population.add_person(company, 0.0, dead_share=dead_share))


def people_on_list(rng: Random, size: float) -> int:
    """How many people of a company of this size are on one list."""
    return min(MOST_PEOPLE, max(1, round(size * rng.lognormvariate(0, LIST_SIGMA))))


def _enlist_consumers(population: Population, consumers: list[Company], count: int) -> None:
    weights = [1 / (rank + 1) for rank in range(len(consumers))]
    for company in population.rng.choices(consumers, weights=weights, k=count):
        mail_list = population.rng.choice(population.lists)
        mail_list.people.append(population.add_person(company, 0.0, dead_share=CONSUMER_TURNOVER / 2))
