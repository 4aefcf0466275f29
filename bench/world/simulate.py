"""What becomes of each mail, and which webhooks tell of it, in the order they are received?"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from bench.world.clock import DAY, MINUTE, NEVER, stamp
from bench.world.fortune import Fortune
from bench.world.kinds import Kind
from bench.world.mailing import Mail, Postroom
from bench.world.people import Population, Recipient, found
from bench.world.sources import Post
from bench.world.trouble import Trouble, Troubles
from bench.world.wording import GREYLISTED, HONEST, LEFT, MAILBOX_FULL, UNKNOWN_USER

ISOLATED_REFUSAL = {"consumer": 0.0005, "business": 0.0008, "gateway": 0.004}
SOFT_SHARE, GREYLISTED_SHARE, GREYLIST_DELAY_S = 0.008, 0.04, 8 * MINUTE
DUPLICATES = 0.01
SAYS_LEFT = 0.12  # of the servers' answers about people who really left
REINSTATED, REINSTATED_AFTER_DAYS = 0.7, (4, 12)  # live people whom somebody puts back on the list

Answer = tuple[int, str, str]


class Webhook(NamedTuple):
    """One line of the stream, ordered by its receipt."""

    received: float
    number: int
    line: str


class World:
    """A population, its mail and its troubles, day by day."""

    def __init__(self, seed: int, domains: int, *, is_calm: bool = False) -> None:
        # each part has its own chance, so that a calm world has the same people and lists
        self.population: Population = found(Random(f"{seed} people"), domains)
        self.troubles = Troubles(Random(f"{seed} troubles"))
        self.old_lists: dict[str, Trouble] = {}  # no troubles, but a page about one has to be told from other false pages
        self._postroom = Postroom(Random(f"{seed} postroom"), self.population)
        self._fortune = Fortune(Random(f"{seed} fortune"), self.population, self.troubles)
        self._post = Post(Random(f"{seed} post"))
        self._rng = Random(f"{seed} mails")
        self._is_calm = is_calm
        self._waiting: list[Webhook] = []
        self._mails = 0
        self._numbers = 0

    def run(self, days: int, *, progress: Callable[[int], None] = lambda mails: None) -> Iterator[str]:
        """All lines in the order of receipt; tells how many mails each day had."""
        for day in range(days):
            self._post.begin_day(day)
            mails = self._postroom.mails_of(day)
            if not self._is_calm:
                self._fortune.draw(day, mails)
            for mail in mails:
                self._mails += 1
                mail.message = self._mails
                self._send(mail)
            yield from self._due((day + 1) * DAY)
            progress(len(mails))
        yield from self._due(NEVER)

    def _due(self, until: float) -> Iterator[str]:
        self._waiting.sort()
        due = [hook for hook in self._waiting if hook.received < until]
        self._waiting = self._waiting[len(due) :]
        for hook in due:
            yield hook.line

    def _send(self, mail: Mail) -> None:
        person = mail.recipient
        if person.leaves_at <= mail.at:
            self._bounce_dead(mail)
            return
        trouble = self.troubles.refusing(mail)
        if trouble is not None:
            self._refuse(mail, trouble)
        elif self._rng.random() < ISOLATED_REFUSAL[_class_of(person)]:
            self._refuse(mail, None)
        elif self._rng.random() < SOFT_SHARE:
            self._report(mail, "bounced", "soft", MAILBOX_FULL)
        else:
            self._deliver(mail)

    def _deliver(self, mail: Mail) -> None:
        if self._rng.random() < GREYLISTED_SHARE and not mail.recipient.company.is_consumer:
            self._report(mail, "deferred", None, GREYLISTED)
            mail.at += self._rng.expovariate(1 / GREYLIST_DELAY_S)
        self._report(mail, "delivered", None, (250, "2.0.0", "250 2.0.0 OK"))

    def _bounce_dead(self, mail: Mail) -> None:
        person = mail.recipient
        answer = LEFT if person.fate and self._rng.random() < SAYS_LEFT else UNKNOWN_USER[person.company.vendor]
        received = self._report(mail, "bounced", "hard", answer)
        if isinstance(person.fate, Trouble):
            person.fate.record(mail, received)
            person.fate = None  # the next bounce of this person is no news
        elif mail.mail_list.is_old_import:
            self._old_list(mail).record(mail, received)
        self._suppress(mail, NEVER)

    def _refuse(self, mail: Mail, trouble: Trouble | None) -> None:
        honest = trouble is not None and self._rng.random() < trouble.honesty
        answer = HONEST[trouble.kind] if trouble is not None and honest else UNKNOWN_USER[mail.recipient.company.vendor]
        received = self._report(mail, "bounced", "hard", answer)
        if trouble is not None:
            trouble.record(mail, received)
        resumes = mail.at + self._rng.uniform(*REINSTATED_AFTER_DAYS) * DAY
        self._suppress(mail, resumes if self._rng.random() < REINSTATED else NEVER)

    def _suppress(self, mail: Mail, until: float) -> None:
        person = mail.recipient
        person.hard_bounces += 1
        if person.hard_bounces >= mail.mail_list.source.suppress_after:
            person.resumes_at = until

    def _old_list(self, mail: Mail) -> Trouble:
        name = mail.mail_list.name
        if name not in self.old_lists:
            number = len(self.old_lists) + 1
            self.old_lists[name] = Trouble(kind=Kind.OLD_LIST, key=("list", name), start=mail.at, end=NEVER, share=0, number=number)
        return self.old_lists[name]

    def _report(self, mail: Mail, kind: str, reported_type: str | None, answer: Answer) -> float:
        """Put the webhook about this on its way, now and then twice; when it arrives."""
        self._numbers += 1
        number = self._numbers
        arrival = self._post.arrival(mail.mail_list.source, mail.at, delivered=kind == "delivered")
        if kind == "delivered" and not mail.mail_list.source.reports_delivered:
            return arrival
        line = _line(mail, number, kind, reported_type, answer)
        self._post_at(arrival, number, line)
        if self._rng.random() < DUPLICATES:
            self._post_at(self._post.again(arrival), number, line)
        return arrival

    def _post_at(self, received: float, number: int, line: dict[str, object]) -> None:
        self._waiting.append(Webhook(received, number, json.dumps(line | {"received_at": stamp(received)})))


def _class_of(person: Recipient) -> str:
    if person.company.is_consumer:
        return "consumer"
    return "gateway" if person.company.is_gateway else "business"


def _line(mail: Mail, number: int, kind: str, reported_type: str | None, answer: Answer) -> dict[str, object]:
    company, source = mail.recipient.company, mail.mail_list.source
    code, enhanced, text = answer
    return {
        "kind": kind,
        "esp": source.esp,
        "recipient": mail.recipient.address,
        "occurred_at": stamp(mail.at),
        "message_id": f"m{mail.message}@mail.example",
        "esp_event_id": f"e{number}",
        "esp_event_type": kind,
        "reported_type": reported_type,
        "esp_class": None,
        "esp_subclass": None,
        "smtp_code": code,
        "enhanced_status_code": enhanced,
        "diagnostic": text.format(address=mail.recipient.address),
        "smtp_stage": "rcpt" if reported_type == "hard" else None,
        "remote_host": company.host,
        "remote_ip": None,
        "sending_ip": mail.ip,
        "campaign": mail.campaign,
        "tags": None,
        "metadata": None,
        "subject": None,
        "suppressed_by_esp": None,
        "phase": "sync",
        "source": source.name,
    }
