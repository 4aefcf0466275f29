"""What happens in the demo, to whom, and in which order?

Each run has recipient domains of its own, so that a second one starts as fresh as the first. The bounces of the company that
fires come last: by the time its check is due, every other domain has been judged.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from service.cli.demo.mails import Company, Fate, Mail, Postbag
from service.cli.demo.wording import bodies_of

# A free-mail domain has to be a real one, for that is how Hopp knows it. Nothing is sent there; and Google gives out no
# address with an underscore, so none of these belongs to anybody.
_FREE_MAIL = Company(domain="gmail.com", host="gmail-smtp-in.l.google.com")
_FREE_MAIL_PEOPLE = 100

_COMPANY = re.compile(r"(?:acme-steel|nordwerk|harbour-law|kawa-optics|lagos-textiles|fjord-lines)-(?P<run>[0-9a-f]+)\.example")
_TAKEN = "250 2.0.0 OK"
_UNKNOWN = "550 5.1.1 <>: Recipient address rejected: User unknown in virtual mailbox table"
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_MOMENT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One webhook POST to come."""

    esp: str
    body: bytes
    events: int
    is_tampered: bool = False  # a byte is changed after it was signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Posts that belong together, and what they tell."""

    title: str
    meaning: str
    posts: tuple[Post, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The whole demo."""

    run: str
    domain: str  # the one whose alert has to fire
    chapters: tuple[Chapter, ...]
    late: tuple[Post, ...]  # the "delivered" webhooks that the bounces overtake

    def is_of_another_run(self, domain: str) -> bool:
        """True for a company of a run before or beside this one, which may well fire while this one is told."""
        found = _COMPANY.fullmatch(domain)
        return found is not None and found["run"] != self.run


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAddresses:
    """What an old list holds of one company."""

    company: Company
    taken: int
    gone: int
    full: int = 0  # mailboxes that take nothing more

    @property
    def people(self) -> int:
        """How many addresses."""
        return self.taken + self.gone + self.full


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The recipient domains of one run."""

    steel: Company  # behind a security gateway that refuses live people
    nordwerk: Company  # a big customer that four people have left
    lawyers: Company  # on the ESP's own suppression list
    fair: tuple[OldAddresses, ...]  # strangers from a trade fair


def cast_of(run: str) -> Cast:
    """The companies of one run."""

    def company(name: str, host: str | None = None) -> Company:
        domain = f"{name}-{run}.example"
        return Company(domain=domain, host=host or f"mx.{domain}")

    return Cast(
        steel=company("acme-steel", "mx1.hc1234-56.iphmx.com"),
        nordwerk=company("nordwerk"),
        lawyers=company("harbour-law"),
        fair=(
            OldAddresses(company=company("kawa-optics"), taken=34, gone=6),
            OldAddresses(company=company("lagos-textiles"), taken=17, gone=3),
            OldAddresses(company=company("fjord-lines"), taken=11, gone=2, full=1),
        ),
    )


def story_of(run: str, now: datetime) -> Story:
    """All that is posted in the run that begins now."""
    return _Teller(run, now).told()


class _Teller:
    def __init__(self, run: str, now: datetime) -> None:
        self._run = run
        self._just_now = now - _MOMENT
        self._cast = cast_of(run)
        self._bag = Postbag(run)
        self._readers = [f"hopp_demo_{run}_{number:03}@{_FREE_MAIL.domain}" for number in range(_FREE_MAIL_PEOPLE)]
        staff = self._cast.steel.people(18)
        self._subscribers, self._buyers = staff[:10], staff[10:]  # the newsletter goes by SendGrid, orders by Mailgun

    def told(self) -> Story:
        refused = self._refusals()
        return Story(
            run=self._run,
            domain=self._cast.steel.domain,
            chapters=(
                self._good_weeks(),
                self._old_list(),
                self._free_mail(),
                self._leavers(),
                Chapter(
                    title=f"Today the gateway of {self._cast.steel.domain} turns 14 of 18 away",
                    meaning='"550 5.1.1 User unknown", to people who read their mail yesterday; SendGrid and Mailgun both call it hard',
                    posts=refused,
                ),
                Chapter(
                    title="SendGrid posts the same webhook again",
                    meaning="answered 2xx like the first one, and counted once",
                    posts=refused[:1],
                ),
                Chapter(
                    title="Somebody changes a byte of it on the way",
                    meaning="the signature does not hold any more: refused",
                    posts=(Post(esp="sendgrid", body=refused[0].body, events=0, is_tampered=True),),
                ),
            ),
            late=self._overtaken(),
        )

    def _good_weeks(self) -> Chapter:
        posts: list[Post] = []
        for weeks in (4, 3, 2, 1):
            at = self._just_now - weeks * _WEEK
            posts += _posts("sendgrid", self._delivered(self._subscribers, self._cast.steel, at))
            posts += _posts("mailgun", self._delivered(self._buyers, self._cast.steel, at))
        for weeks in (2, 1):
            at = self._just_now - weeks * _WEEK
            posts += _posts("postmark", self._delivered(self._cast.nordwerk.people(44), self._cast.nordwerk, at))
            posts += _posts("sendgrid", self._delivered(self._readers, _FREE_MAIL, at))
            posts += _posts("sendgrid", self._delivered(self._cast.lawyers.people(5), self._cast.lawyers, at))
        posts += _posts("sendgrid", self._mails(self._subscribers[:6], self._cast.steel, self._just_now - _DAY, Fate.OPENED, ""))
        return Chapter(
            title="Four good weeks",
            meaning="everybody gets their mail, and yesterday six at the steel works opened theirs: from now on Hopp knows them",
            posts=tuple(posts),
        )

    def _old_list(self) -> Chapter:
        posts: list[Post] = []
        for old in self._cast.fair:
            people = iter(old.company.people(old.people))
            for number, fate, answer in (
                (old.taken, Fate.DELIVERED, _TAKEN),
                (old.gone, Fate.REFUSED, _UNKNOWN),
                (old.full, Fate.FULL, "552 5.2.2 Mailbox full"),
            ):
                some = tuple(islice(people, number))
                posts += _posts("ses", self._mails(some, old.company, self._just_now, fate, answer))
        return Chapter(
            title="An old list from a trade fair goes out by SES",
            meaning="11 of 74 strangers are gone: 15 %, what such a list honestly shows, so nobody is woken up",
            posts=tuple(posts),
        )

    def _free_mail(self) -> Chapter:
        gone, rest = self._readers[:1], self._readers[1:]
        disabled = "550 5.2.1 The email account that you tried to reach is inactive"
        listed = "Bounced Address"
        mails = (
            *self._delivered(rest, _FREE_MAIL, self._just_now),
            *self._mails(gone, _FREE_MAIL, self._just_now, Fate.REFUSED, disabled),
            *self._mails(rest[:3], _FREE_MAIL, self._just_now, Fate.DEFERRED, "421 4.7.28 Try again later"),
            *self._mails(self._cast.lawyers.people(5), self._cast.lawyers, self._just_now, Fate.NEVER_TRIED, listed),
        )
        return Chapter(
            title=f"The usual newsletter to {_FREE_MAIL.domain}",
            meaning="1 of 100 bounces, 3 wait; 5 at a law firm were not even tried by SendGrid, which is no bounce at all",
            posts=_posts("sendgrid", mails),
        )

    def _leavers(self) -> Chapter:
        company = self._cast.nordwerk
        mails = self._mails(company.people(4), company, self._just_now, Fate.REFUSED, _UNKNOWN)
        return Chapter(
            title=f"Postmark tells of {company.domain}, bounces first",
            meaning="4 of 4 so far; it takes the 40 delivered mails, whose webhooks are still on the way, to see that it is 4 of 44",
            posts=_posts("postmark", mails),
        )

    def _refusals(self) -> tuple[Post, ...]:
        steel = self._cast.steel
        answer = f"550 5.1.1 <> User unknown ({steel.host})"
        return (
            *_posts("sendgrid", self._mails(self._subscribers[:8], steel, self._just_now, Fate.REFUSED, answer)),
            *_posts("mailgun", self._mails(self._buyers[:6], steel, self._just_now, Fate.REFUSED, answer)),
        )

    def _overtaken(self) -> tuple[Post, ...]:
        steel, nordwerk = self._cast.steel, self._cast.nordwerk
        return (
            *_posts("sendgrid", self._delivered(self._subscribers[8:], steel, self._just_now)),
            *_posts("mailgun", self._delivered(self._buyers[6:], steel, self._just_now)),
            *_posts("postmark", self._delivered(nordwerk.people(44)[4:], nordwerk, self._just_now)),
        )

    def _delivered(self, recipients: Sequence[str], company: Company, at: datetime) -> Iterator[Mail]:
        return self._mails(recipients, company, at, Fate.DELIVERED, _TAKEN)

    def _mails(self, recipients: Sequence[str], company: Company, at: datetime, fate: Fate, answer: str) -> Iterator[Mail]:
        campaign = f"{at:%G}-week-{at:%V}"
        return self._bag.mails(recipients, company=company, at=at, fate=fate, answer=answer, campaign=campaign)


def _posts(esp: str, mails: Iterator[Mail] | Sequence[Mail]) -> tuple[Post, ...]:
    mails = tuple(mails)
    bodies = bodies_of(esp, mails) if mails else ()
    return tuple(Post(esp=esp, body=body, events=len(mails) // len(bodies)) for body in bodies)
