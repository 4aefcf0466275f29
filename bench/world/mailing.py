"""Who is mailed today, when, and in which campaign?"""

import math
from dataclasses import dataclass
from random import Random

from bench.world.clock import DAY, HOUR, MINUTE, NEVER, is_weekend, working_day
from bench.world.people import (
    JOINING,
    MEDIAN_PEOPLE,
    TRANSACTIONAL_DAILY,
    TYPO_SHARE,
    Company,
    MailList,
    Population,
    Recipient,
    people_on_list,
)
from bench.world.sources import deal_sources

OLD_IMPORTS_PER_DAY = 0.33  # per 10,000 domains
OLD_DOMAINS_MEDIAN, OLD_SIZE_FACTOR = 0.017, 2.2  # domains of an old list as a share of all, and its people per domain
OLD_DEAD_SHARE = (0.12, 0.18)
OLD_SPREAD = 25.0  # how alike the companies of an old list are: higher is more alike
SECOND_OLD_MAILING = 0.4
OLD_INTERVAL_DAYS = 10

TEN_THOUSAND = 10_000


@dataclass(slots=True, eq=False)
class Mail:
    """One mail to one person."""

    at: float
    recipient: Recipient
    mail_list: MailList
    campaign: str
    ip: str
    message: int = 0  # its number, the same in every webhook about it


class Postroom:
    """Plans each day's mail, lets people join lists, and imports old ones."""

    def __init__(self, rng: Random, population: Population) -> None:
        self._rng = rng
        self._population = population
        self._imports = 0
        self._scale = len(population.companies) / TEN_THOUSAND

    def mails_of(self, day: int) -> list[Mail]:
        """All mails of the day in the order they are sent."""
        if not is_weekend(day) and self._rng.random() < OLD_IMPORTS_PER_DAY * self._scale * 7 / 5:
            self._import_old_list(day)
        mails: list[Mail] = []
        for mail_list in self._population.lists:
            if mail_list.interval_days == 0:
                mails += self._transactional(mail_list, day)
            elif mail_list.next_day == day and mail_list.mailings_left != 0:
                mails += self._mailing(mail_list, day)
        mails.sort(key=lambda mail: mail.at)
        return mails

    def _mailing(self, mail_list: MailList, day: int) -> list[Mail]:
        mail_list.next_day = working_day(self._rng, day + mail_list.interval_days)
        if mail_list.mailings_left is not None:
            mail_list.mailings_left -= 1
        if not mail_list.is_old_import:
            self._let_join(mail_list, day, mail_list.interval_days)
        start = day * DAY + min(19.0, max(5.0, self._rng.gauss(10.5, 2.5))) * HOUR
        length = min(5 * HOUR, max(5 * MINUTE, self._rng.lognormvariate(math.log(35 * MINUTE), 0.8)))
        return self._spread(mail_list, start, length, f"{mail_list.name}-{day:03d}")

    def _spread(self, mail_list: MailList, start: float, length: float, campaign: str) -> list[Mail]:
        rng = self._rng
        turns: dict[Company, float] = {}
        mails = []
        for person in mail_list.people:
            if person.resumes_at > start:
                continue
            at = start + rng.random() * length
            if mail_list.is_grouped:  # a company's mails go one after the other
                at = turns[person.company] = turns.get(person.company, at) + rng.expovariate(1 / 6)
            mails.append(Mail(at, person, mail_list, campaign, self._ip(mail_list, person)))
        return mails

    def _transactional(self, mail_list: MailList, day: int) -> list[Mail]:
        rng = self._rng
        self._let_join(mail_list, day, 1)
        chance = TRANSACTIONAL_DAILY / 4 if is_weekend(day) else TRANSACTIONAL_DAILY
        mails = []
        for person in mail_list.people:
            at = day * DAY + min(23.9, max(0.0, rng.gauss(13, 4))) * HOUR
            if rng.random() < chance and person.resumes_at <= at:
                mails.append(Mail(at, person, mail_list, mail_list.name, self._ip(mail_list, person)))
        return mails

    def _ip(self, mail_list: MailList, person: Recipient) -> str:
        return mail_list.ips[person.number % len(mail_list.ips)]

    def _let_join(self, mail_list: MailList, day: int, since_days: int) -> None:
        rng = self._rng
        expected = JOINING * len(mail_list.people) * since_days / 30
        joiners = int(expected + rng.random())
        for colleague in rng.choices(mail_list.people, k=joiners) if mail_list.people else ():
            typo_share = TYPO_SHARE / 3 if colleague.company.is_consumer else TYPO_SHARE
            mail_list.people.append(self._population.add_person(colleague.company, day * DAY, dead_share=typo_share))
        mail_list.people = [person for person in mail_list.people if person.resumes_at < NEVER]

    def _import_old_list(self, day: int) -> None:
        rng, population = self._rng, self._population
        self._imports += 1
        mail_list = population.add_list(f"old-{self._imports:02d}", deal_sources(rng, 1)[0], OLD_INTERVAL_DAYS, day)
        mail_list.is_old_import = True
        mail_list.mailings_left = 2 if rng.random() < SECOND_OLD_MAILING else 1
        businesses = [company for company in population.companies if not company.is_consumer]
        size = len(businesses) * OLD_DOMAINS_MEDIAN * rng.lognormvariate(0, 0.5)
        dead_share = rng.uniform(*OLD_DEAD_SHARE)
        for company in rng.sample(businesses, min(len(businesses), max(5, round(size)))):
            here = rng.betavariate(dead_share * OLD_SPREAD, (1 - dead_share) * OLD_SPREAD)
            for _ in range(people_on_list(rng, MEDIAN_PEOPLE * OLD_SIZE_FACTOR * rng.lognormvariate(0, 1))):
                mail_list.people.append(population.add_person(company, day * DAY, dead_share=here))
