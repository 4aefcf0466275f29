"""Rule sets of single words, streams of answers in those words, and a picture of all that hangs on a label."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import text

from service.alerting.policy import Policy
from service.classify.domains import DomainBook
from service.classify.engine import Classifier
from service.classify.gateways import Gateway, GatewayTable
from service.classify.rules import load_rules
from service.model.events import Event
from service.model.moments import HOUR_US, to_us
from service.model.words import EventKind, Label, Phase, ReportedType
from service.pipeline.history import HistoricEvent, import_events
from service.pipeline.labelling import Labels
from service.pipeline.reading import Tools
from service.pipeline.relabel import LABELLED_KINDS, apply_changes, find_changes
from service.store.answers import AnswerFilter, load_answers
from service.store.database import Database
from tests.pipeline.worlds import START, event, forget

LATER_US = to_us(START) + 5 * HOUR_US
ALL = AnswerFilter(kinds=LABELLED_KINDS)
GATEWAYS = GatewayTable(
    {"*.cisco.example": Gateway("cisco", is_security_gateway=True), "*.acme.example": Gateway("acme", is_security_gateway=True)}
)
BOOK = DomainBook(["gmx.example"], GATEWAYS.security_vendors)
WORDS = ("zorb", "quux", "wobble")
GUARD = "acme-mailguard"
_RULE = "[[rule]]\nid = 'own.{word}'\npattern = '{word}'\nlabel = '{label}'\nsource = 'us'\nexamples = ['550 {word}']\n"
_FINGERPRINT = f"[[fingerprint]]\npattern = '{GUARD}'\nvendor = 'acme'\n"
_TABLES = (
    "events",
    "recipients",
    "domain_hourly",
    "due_checks",
    "recipient_domains",
    "source_lag",
    "reply_hourly",
    "rule_sets",
    "source_hourly",
    "sources",
)

Rules = tuple[Mapping[str, Label], bool]  # a label for each word that is known; whether the guard is


def labels_of(rules: Rules) -> Labels:
    """What these rules make of answers."""
    known, knows_guard = rules
    written = "".join(_RULE.format(word=word, label=label) for word, label in known.items()) + (_FINGERPRINT if knows_guard else "")
    return Labels(classifier=Classifier(load_rules({"a.toml": written}), GATEWAYS), gateways=GATEWAYS, domains=BOOK)


def tools_of(database: Database, rules: Rules) -> Tools:
    """Processing with these rules; the source `trial` is a test."""
    return Tools(
        database=database,
        adapters={},
        labels=labels_of(rules),
        policy=Policy(),
        test_sources=frozenset({"trial"}),
        perform=lambda _act, _source: None,
    )


def bounced(diagnostic: str | None, recipient: str = "anna@steel.example", *, minutes: float = 0, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """A bounce of which the ESP does not say whether it is hard."""
    return replace(event(recipient, kind=EventKind.BOUNCED, minutes=minutes), diagnostic=diagnostic, **changes)


def rule_sets() -> st.SearchStrategy[Rules]:
    """Any labels, permanent or not, for some of the words."""
    some = st.sampled_from([Label.INVALID_RECIPIENT, Label.MAILBOX_FULL, Label.POLICY_BLOCK, Label.INVALID_DOMAIN])
    return st.tuples(st.dictionaries(st.sampled_from(WORDS), some), st.booleans())


def _events() -> st.SearchStrategy[Event]:
    spoken = st.builds(lambda word, by: f"550 {word}{by}", st.sampled_from([*WORDS, ""]), st.sampled_from(["", f" {GUARD}"]))
    made = st.builds(
        event,
        st.sampled_from(["anna@steel.example", "bert@steel.example", "cleo@gmx.example"]),
        kind=st.sampled_from([EventKind.DELIVERED, EventKind.BOUNCED, EventKind.BOUNCED, EventKind.DEFERRED, EventKind.OPENED]),
        minutes=st.integers(0, 240),
        message=st.sampled_from(["m1", "m2", "m3"]),
        reported=st.sampled_from([None, None, ReportedType.UNDETERMINED, ReportedType.HARD, ReportedType.SOFT]),
        phase=st.sampled_from([Phase.SYNC, Phase.ASYNC]),
    )
    return st.builds(
        lambda item, diagnostic, host: replace(item, diagnostic=diagnostic, remote_host=host),
        made,
        st.one_of(st.none(), spoken),
        st.sampled_from([None, None, "mx1.cisco.example", "mx1.acme.example"]),
    )


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[tuple[str, Event]]]:
    """A stream of events of three sources in any order, cut into batches."""
    stream = draw(st.lists(st.tuples(st.sampled_from(["acme", "other", "trial"]), _events()), min_size=1, max_size=14))
    size = draw(st.integers(1, 6))
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def record_all(batches: Sequence[Sequence[tuple[str, Event]]], tools: Tools) -> None:
    """Take batches in, one after the other."""
    for batch in batches:
        history = [HistoricEvent(event=item, source=source, received_at=None) for source, item in batch]
        import_events(history, tools, import_id="import", now_us=LATER_US)


def relabel(tools: Tools, wanted: AnswerFilter = ALL) -> int:
    """Run the rules over stored events and change what changes; returns how many did."""
    changed = 0
    for stored in load_answers(tools.database, wanted):
        found = find_changes(stored, tools.labels)
        apply_changes(found, tools, now_us=LATER_US)
        changed += len(found)
    return changed


def empty(database: Database) -> None:
    """Forget everything."""
    forget(database, *_TABLES)


_PICTURES = {
    "events": (
        "SELECT event_key, cell, counts_as_hard, label, label_group, persistence, doubt, rule, vendor, evidence, gateway"
        " FROM events ORDER BY event_key"
    ),
    "recipients": (
        "SELECT address, last_delivered_us, last_hard_us, last_engaged_us, hard_count, newest_us, newest_rank, newest_key"
        " FROM recipients ORDER BY address"
    ),
    "domain_hourly": (
        "SELECT h.domain, hour, name, warm_n, warm_k, cold_n, cold_k, repeat_k, soft_k, first_us, last_us"
        " FROM domain_hourly h JOIN sources s ON s.id = h.source_id ORDER BY 1, 2, 3"
    ),
    "recipient_domains": (
        "SELECT domain, domain_class, gateway, newest_hour, last_hard_us, last_attempt_us FROM recipient_domains ORDER BY domain"
    ),
    "source_lag": "SELECT name, delivered_count, hard_count FROM source_lag l JOIN sources s ON s.id = l.source_id ORDER BY name",
    "reply_hourly": (
        "SELECT name, hour, gateway, answered, undetermined FROM reply_hourly r JOIN sources s ON s.id = r.source_id ORDER BY 1, 2, 3"
    ),
}


def picture(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that hangs on labels, without what depends on the order of arrival."""
    with database.read() as connection:
        return {name: [tuple(map(_plain, row)) for row in connection.execute(text(sql))] for name, sql in _PICTURES.items()}


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
