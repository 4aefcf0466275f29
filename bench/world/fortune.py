"""When do troubles happen? Drawn each day among the domains, mailings and ESPs that send something."""

import math
from collections import Counter
from random import Random

from bench.world.clock import DAY, HOUR, MINUTE
from bench.world.kinds import Kind
from bench.world.mailing import TEN_THOUSAND, Mail
from bench.world.people import Company, Population
from bench.world.trouble import Key, Trouble, Troubles

# a day, per 10,000 domains
BLOCKS, VELOCITIES, LAYOFFS = 3.4, 0.9, 1.2
REPUTATIONS, CONTENTS, ESP_FAULTS = 0.16, 0.12, 0.07
CONSUMER_BLOCKS = 0.05

SIZE_PULL = 0.6  # how much more often large domains are hit
REST = 5 * DAY  # between two troubles of one domain
FEWEST_FOR_VELOCITY = 10
FEWEST_FOR_LAYOFF = 16
FEWEST_FOR_CONTENT = 300
FEWEST_FOR_CONSUMER_BLOCK = 40
ONE_SOURCE_BLOCKS = 0.3  # of the blocks: only what comes from one ESP is refused


class Fortune:
    """Draws the troubles of each day."""

    def __init__(self, rng: Random, population: Population, troubles: Troubles) -> None:
        self._rng = rng
        self._population = population
        self._troubles = troubles
        self._scale = len(population.companies) / TEN_THOUSAND
        self._rests_until: dict[str, float] = {}

    def draw(self, day: int, mails: list[Mail]) -> None:
        """Begin today's troubles."""
        now = day * DAY
        self._troubles.forget(now)
        for _ in range(self._count(LAYOFFS)):
            self._lay_off(now)
        if not mails:
            return
        businesses = [mail for mail in mails if not mail.recipient.company.is_consumer]
        for _ in range(self._count(BLOCKS)):
            self._block(now, businesses)
        for _ in range(self._count(VELOCITIES)):
            self._throttle(now, businesses)
        for _ in range(self._count(CONSUMER_BLOCKS)):
            self._block_consumer(now, [mail for mail in mails if mail.recipient.company.is_consumer])
        self._draw_wide(now, mails)

    def _draw_wide(self, now: float, mails: list[Mail]) -> None:
        for _ in range(self._count(REPUTATIONS)):
            self._lose_reputation([mail for mail in mails if mail.recipient.company.is_gateway] or mails)
        for _ in range(self._count(CONTENTS)):
            self._offend(now, mails)
        for _ in range(self._count(ESP_FAULTS)):
            self._break_esp(mails)

    def _lose_reputation(self, mails: list[Mail]) -> None:
        rng = self._rng
        mail = rng.choice(mails)
        start = mail.at - rng.uniform(0, 1) * HOUR
        key = ("vendor", mail.recipient.company.vendor, mail.ip)
        end = start + rng.uniform(8, 72) * HOUR
        self._troubles.add(Trouble(kind=Kind.REPUTATION, key=key, start=start, end=end, share=rng.uniform(0.6, 0.97), honesty=0.5))

    def _offend(self, now: float, mails: list[Mail]) -> None:
        rng = self._rng
        sizes = Counter(mail.campaign for mail in mails if mail.mail_list.interval_days)
        campaigns = [campaign for campaign, size in sizes.items() if size >= FEWEST_FOR_CONTENT]
        if not campaigns:
            return
        key = ("campaign", rng.choice(campaigns))
        share = rng.uniform(0.65, 0.95)
        self._troubles.add(
            Trouble(kind=Kind.CONTENT, key=key, start=now, end=now + 2 * DAY, share=share, honesty=0.5, spares_without_gateway=0.7)
        )

    def _break_esp(self, mails: list[Mail]) -> None:
        rng = self._rng
        mail = rng.choice(mails)
        start = mail.at - rng.uniform(0, 20) * MINUTE
        end = start + rng.uniform(0.5, 2) * HOUR
        key = ("source", mail.mail_list.source.name)
        self._troubles.add(Trouble(kind=Kind.ESP_FAULT, key=key, start=start, end=end, share=rng.uniform(0.85, 1), honesty=0.8))

    def _block(self, now: float, mails: list[Mail]) -> None:
        rng = self._rng
        company = self._pick(now, Counter(mail.recipient.company for mail in mails), 2)
        if company is None:
            return
        own = [mail for mail in mails if mail.recipient.company is company]
        first = rng.choice(own)
        start = first.at - rng.uniform(0, 20) * MINUTE
        length = min(96 * HOUR, max(0.5 * HOUR, rng.lognormvariate(math.log(10 * HOUR), 1)))
        key: Key = ("domain", company.name)
        if rng.random() < ONE_SOURCE_BLOCKS:
            key = ("domain_source", company.name, first.mail_list.source.name)
        self._troubles.add(Trouble(kind=Kind.BLOCK, key=key, start=start, end=start + length, share=rng.uniform(0.5, 1), honesty=0.3))

    def _throttle(self, now: float, mails: list[Mail]) -> None:
        rng = self._rng
        bursts: dict[tuple[Company, str], list[float]] = {}
        for mail in mails:
            bursts.setdefault((mail.recipient.company, mail.mail_list.source.name), []).append(mail.at)
        largest = {company: max(bursts, key=lambda burst: (burst[0] is company, len(bursts[burst]))) for company, _ in bursts}
        company = self._pick(now, Counter({company: len(bursts[burst]) for company, burst in largest.items()}), FEWEST_FOR_VELOCITY)
        if company is None:
            return
        burst = largest[company]
        start = bursts[burst][0]
        key = ("domain_source", company.name, burst[1])
        end = start + rng.uniform(2, 8) * HOUR
        self._troubles.add(
            Trouble(kind=Kind.VELOCITY, key=key, start=start, end=end, share=rng.uniform(0.8, 1), honesty=0.4, spared=rng.randint(3, 8))
        )

    def _block_consumer(self, now: float, mails: list[Mail]) -> None:
        rng = self._rng
        company = self._pick(now, Counter(mail.recipient.company for mail in mails), FEWEST_FOR_CONSUMER_BLOCK)
        if company is None:
            return
        start = rng.choice([mail for mail in mails if mail.recipient.company is company]).at
        end = start + rng.uniform(2, 24) * HOUR
        share = rng.uniform(0.05, 0.6)
        self._troubles.add(Trouble(kind=Kind.BLOCK, key=("domain", company.name), start=start, end=end, share=share, honesty=0.5))

    def _lay_off(self, now: float) -> None:
        rng = self._rng
        sizes = Counter({company: len(company.people) for company in self._population.companies if not company.is_consumer})
        company = self._pick(now, sizes, FEWEST_FOR_LAYOFF)
        if company is None:
            return
        at = now + rng.uniform(0, 24) * HOUR
        layoff = Trouble(kind=Kind.TURNOVER, key=("layoff", company.name), start=at, end=at + 30 * DAY, share=0)
        self._troubles.add(layoff)
        staff = [person for person in company.people if person.leaves_at > at]
        share = 0.1 + 0.2 * rng.random() ** 1.5  # mostly nearer to a tenth
        for person in rng.sample(staff, round(share * len(staff))):
            person.leaves_at, person.fate = at, layoff

    def _pick(self, now: float, sizes: Counter[Company], fewest: int) -> Company | None:
        able = [company for company, size in sizes.items() if size >= fewest and self._rests_until.get(company.name, 0) <= now]
        if not able:
            return None
        weights = [sizes[company] ** SIZE_PULL * (2 if company.is_gateway else 1) for company in able]
        company = self._rng.choices(able, weights=weights)[0]
        self._rests_until[company.name] = now + REST
        return company

    def _count(self, rate: float) -> int:
        """Poisson by counting exponential waits."""
        count, waited = 0, self._rng.expovariate(1)
        while waited < rate * self._scale:
            count += 1
            waited += self._rng.expovariate(1)
        return count
