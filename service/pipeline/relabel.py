"""How do the tables become what they would be, had the rules of now been there from the start?

A label decides whether an event counts as hard where the ESP does not say, so that a changed one may change how all
mails to a person are counted. The order of the steps is the one of `record`, so that a replay and a worker that write
at once never wait for each other in a circle.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from service.alerting.policy import Policy
from service.model.moments import hour_of
from service.model.words import Label
from service.pipeline.count import count_anew
from service.pipeline.domains import DomainChange, schedule_checks
from service.pipeline.labelling import ANSWERED, Labels, gateway_by_host, read_answer
from service.pipeline.reading import Tools
from service.store import answers, ingest
from service.store.answers import LabelValues, StoredAnswer
from service.store.database import Connection, DatabaseUnavailableError
from service.store.ingest import DomainRow

log = structlog.get_logger()
LABELLED_KINDS = tuple(sorted(kind.value for kind in ANSWERED))
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A stored event of which the rules now say something else."""

    stored: StoredAnswer
    now: LabelValues

    @property
    def hard_delta(self) -> int:
        """1 where it becomes a hard bounce, -1 where it ceases to be one."""
        return int(self.now.counts_as_hard) - int(self.stored.values.counts_as_hard)


def find_changes(stored: Sequence[StoredAnswer], labels: Labels) -> list[Change]:
    """What the rules say now, where that is not what is stored."""
    read = ((item, _read(item, labels)) for item in stored)
    return [Change(item, now) for item, now in read if now != item.values]


def _read(item: StoredAnswer, labels: Labels) -> LabelValues:
    answer = read_answer(item.event, labels)
    return answers.values_of(answer.classification, gateway=answer.gateway, counts_as_hard=answer.counts_as_hard)


def apply_changes(found: Sequence[Change], tools: Tools, *, now_us: int) -> None:
    """Change these events and all that was counted of them, in one transaction; what was changed meanwhile is left alone."""
    if not found:
        return
    for tries_left in reversed(range(_TRIES)):
        try:
            with tools.database.write() as connection:
                _apply(connection, found, tools, now_us=now_us)
            return
        except Exception as error:  # whatever it was: once more, for a worker may have held what was wanted
            if not tools.database.answers():
                raise DatabaseUnavailableError(tools.database.silence()) from error
            if not tries_left:
                raise
            log.warning("relabel_failed", events=len(found), error=type(error).__name__)


def _apply(connection: Connection, found: Sequence[Change], tools: Tools, *, now_us: int) -> None:
    """Write changes in the open transaction.

    1. Recipients are locked, then the events: from now on nobody else changes what is counted of them.
    2. The events are read again: another replay may have changed them since, and must not be counted twice.
    3. People are folded anew from the changed events; roll-ups follow.
    4. Domains, lags, checks and hours of replies come last, as in `record`.
    """
    recipient_ids = sorted({change.stored.recipient_id for change in found if change.stored.recipient_id is not None})
    people = ingest.lock_recipients(connection, answers.load_addresses(connection, recipient_ids))
    changes = find_changes(answers.lock_answers(connection, [change.stored.id for change in found]), tools.labels)
    answers.save_labels(connection, {change.stored.id: change.now for change in changes})
    _count_people_anew(connection, changes, people, tools.policy)
    _correct_domains(connection, changes, tools, now_us=now_us)
    answers.add_replies(connection, _reply_deltas(changes))
    answers.drop_empty_replies(connection)


def _count_people_anew(
    connection: Connection, changes: Sequence[Change], people: Mapping[str, ingest.RecipientRow], policy: Policy
) -> None:
    deltas: dict[int, int] = defaultdict(int)
    for change in changes:
        if change.hard_delta and change.stored.is_attempt and change.stored.recipient_id is not None:
            deltas[change.stored.recipient_id] += change.hard_delta
    touched = {address: row for address, row in people.items() if row.id in deltas}
    counted = count_anew(connection, touched, policy)
    ingest.change_cells(connection, counted.corrected)
    ingest.add_hourly(connection, counted.hourly)
    rows = (counted.recipients[address] for address in sorted(touched))
    ingest.save_recipients(connection, [replace(row, hard_count=row.hard_count + deltas[row.id]) for row in rows])


def _correct_domains(connection: Connection, changes: Sequence[Change], tools: Tools, *, now_us: int) -> None:
    by_domain: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.stored.is_attempt and (change.hard_delta or change.now.gateway != change.stored.values.gateway):
            by_domain[change.stored.domain].append(change)
    rows = ingest.lock_domains(connection, sorted(by_domain))
    corrected = {domain: _corrected(connection, domain, rows[domain], by_domain[domain], tools.labels) for domain in rows}
    answers.correct_domains(connection, corrected)
    _correct_lags(connection, changes)
    fresh = {domain: _newly_hard(by_domain[domain]) for domain in rows}
    lags = ingest.load_lags(connection, {source_id for change in fresh.values() for source_id in change.hard_sources})
    schedule_checks(connection, fresh, rows, lags, policy=tools.policy, now_us=now_us)


def _corrected(connection: Connection, domain: str, row: DomainRow, found: Sequence[Change], labels: Labels) -> tuple[str, str, int, int]:
    """Class, gateway, last hard bounce and deliveries since, from the events as they are now."""
    gateway, last_hard_us, since = row.gateway, row.recovery.last_hard_us, row.recovery.delivered_since_hard
    if any(change.now.gateway != change.stored.values.gateway for change in found):
        gateway = _gateway(connection, domain, labels)
    if any(change.hard_delta for change in found):
        last_hard_us = answers.find_last_hard_us(connection, domain)
    if last_hard_us != row.recovery.last_hard_us:
        since = answers.count_delivered_after(connection, domain, last_hard_us)
    return labels.domains.domain_class(domain, gateway or None).value, gateway, last_hard_us, since


def _gateway(connection: Connection, domain: str, labels: Labels) -> str:
    """The one that a server's name gave away last; where none did, the one that spoke first."""
    named = answers.load_named_gateways(connection, domain)
    by_host = [item for item in named if gateway_by_host(item.remote_host, labels)]
    if by_host:
        return max(by_host, key=lambda item: item.last_id).gateway
    return min(named, key=lambda item: item.first_id).gateway if named else ""


def _correct_lags(connection: Connection, changes: Sequence[Change]) -> None:
    hard: dict[int, int] = defaultdict(int)
    for change in changes:
        hard[change.stored.source_id] += change.hard_delta
    ingest.add_lags(connection, {source_id: (0.0, 0, delta, 0, 0) for source_id, delta in hard.items() if delta})


def _newly_hard(found: Sequence[Change]) -> DomainChange:
    hard = [change.stored for change in found if change.hard_delta > 0]
    return DomainChange(hard_us=max((item.occurred_us for item in hard), default=0), hard_sources={item.source_id for item in hard})


def _reply_deltas(changes: Sequence[Change]) -> dict[answers.ReplyKey, list[int]]:
    deltas: dict[answers.ReplyKey, list[int]] = defaultdict(lambda: [0, 0])
    for change in changes:
        for values, sign in ((change.stored.values, -1), (change.now, 1)):
            found = deltas[hour_of(change.stored.received_us), change.stored.source_id, values.gateway]
            found[0] += sign
            found[1] += sign * (values.label == Label.UNDETERMINED)
    return {key: delta for key, delta in deltas.items() if any(delta)}
