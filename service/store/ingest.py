"""What does a batch of events read from the tables, and what does it write to them?

Every statement works on the whole batch. The recipients are locked first, in address order, so that whatever is read after
that about them (which events are known, what they were counted as) stays true until the transaction ends.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service.alerting.counting import Cell, History
from service.alerting.holding import START_LOG_LAG, DueCheck
from service.alerting.lifecycle import Recovery
from service.model.errors import HoppError
from service.model.values import passing
from service.store import bulk, partitions
from service.store.tables import (
    deliveries,
    domain_hourly,
    due_checks,
    events,
    recipient_domains,
    recipients,
    source_hourly,
    source_lag,
    sources,
)

EVENT_COLUMNS = tuple(column.name for column in events.columns if column.name != "id")
DELIVERY_COLUMNS = tuple(column.name for column in deliveries.columns)
HOURLY_KEY = ("domain", "hour", "source_id", "sending_ip", "campaign")
HOURLY_COUNTS = ("warm_n", "warm_k", "cold_n", "cold_k", "repeat_k", "soft_k")
_RECIPIENT_STATE = ("last_delivered_us", "last_hard_us", "last_engaged_us", "hard_count", "newest_us", "newest_rank", "newest_key")

_DELIVERY_RECEIVED = DELIVERY_COLUMNS.index("received_us")
_EVENT_RECEIVED = EVENT_COLUMNS.index("received_us")

HourlyKey = tuple[str, int, int, str, str]
EventPlace = tuple[int, int]  # id and moment of receipt, which says in which partition it lies


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source as the tables know it."""

    id: int
    name: str
    esp: str
    is_test: bool


@passing(frozen=True, slots=True)
class RecipientRow:
    """What is kept of one address."""

    id: int = 0  # 0: not kept yet
    history: History = History()
    last_engaged_us: int = 0
    hard_count: int = 0


@passing(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """What is kept of one recipient domain."""

    domain_class: str
    gateway: str = ""
    newest_hour: int = 0
    recovery: Recovery = Recovery()


@dataclass(frozen=True, slots=True, kw_only=True)
class LagRow:
    """How late a source's webhooks come, and what it tells of."""

    log_lag_seconds: float = START_LOG_LAG
    delivered_count: int = 0
    hard_count: int = 0


def ensure_sources(connection: Connection, wanted: Mapping[str, tuple[str, bool]], now_us: int) -> dict[str, SourceRow]:
    """Rows of these sources (name: ESP and test mark), made where they are missing; ESP and mark follow what is wanted.

    They are looked up first: a row that nobody changes is not locked, so that many workers can serve one source.
    """
    found = find_sources(connection, list(wanted))
    changed = sorted(
        name for name, (esp, is_test) in wanted.items() if name not in found or (found[name].esp, found[name].is_test) != (esp, is_test)
    )
    if not changed:
        return found
    rows = [(name, *wanted[name], now_us) for name in changed]
    conflict = "(name) DO UPDATE SET esp = excluded.esp, is_test = excluded.is_test"
    bulk.upsert(connection, sources, ("name", "esp", "is_test", "first_seen_us"), rows, conflict=conflict)
    return found | find_sources(connection, changed)


def find_sources(connection: Connection, names: Sequence[str]) -> dict[str, SourceRow]:
    """Those of the sources that were ever seen, by name."""
    rows = bulk.select_in(connection, sources, ("name", "id", "esp", "is_test"), key="name", values=names)
    return {name: SourceRow(id=id_, name=name, esp=esp, is_test=bool(is_test)) for name, id_, esp, is_test in rows}


def archived_ids(connection: Connection, received_us: Mapping[str, int]) -> set[str]:
    """Those of the deliveries (id: moment of receipt, the same whenever it comes) that were processed before."""
    if not received_us:
        return set()
    within = ("received_us", min(received_us.values()), max(received_us.values()))
    return {row[0] for row in bulk.select_in(connection, deliveries, ("id",), key="id", values=sorted(received_us), within=within)}


def archive(connection: Connection, rows: Sequence[bulk.Row]) -> None:
    """Keep raw deliveries, in the order of DELIVERY_COLUMNS."""
    partitions.ensure(connection, deliveries, {row[_DELIVERY_RECEIVED] for row in rows})
    bulk.insert(connection, deliveries, DELIVERY_COLUMNS, rows)


class RacedError(HoppError):
    """Another worker is at work on the same rows: the same batch again finds them."""


def lock_recipients(connection: Connection, addresses: Sequence[str]) -> dict[str, RecipientRow]:
    """Those of these addresses that are known, by address; their rows are ours until the transaction ends."""
    return _locked(connection, addresses, bulk.Lock.WAIT)


def lock_overtaken(connection: Connection, addresses: Collection[str]) -> dict[str, RecipientRow]:
    """Addresses that became known since `lock_recipients` looked. Raises RacedError where somebody holds one.

    They are locked out of their order, so waiting for one could be waiting in a circle.
    """
    found = _locked(connection, list(addresses), bulk.Lock.SKIP)
    if len(found) < len(addresses):
        raise RacedError("Another worker holds people that this one met first.")
    return found


def _locked(connection: Connection, addresses: Sequence[str], lock: bulk.Lock) -> dict[str, RecipientRow]:
    columns = ("address", "id", *_RECIPIENT_STATE)
    rows = bulk.select_in(connection, recipients, columns, key="address", values=sorted(addresses), lock=lock)
    return {
        address: RecipientRow(id_, History(delivered_us, hard_us, (us, rank, bytes(key))), engaged_us, hard_count)
        for address, id_, delivered_us, hard_us, engaged_us, hard_count, us, rank, key in rows
    }


def add_recipients(connection: Connection, rows: Mapping[str, RecipientRow]) -> dict[str, int]:
    """Keep recipients that were not known when they were looked up; returns the ids of those that still were not."""
    if not rows:
        return {}
    addresses = sorted(rows)
    ids = dict(zip(addresses, bulk.next_ids(connection, recipients, len(rows)), strict=True))
    values = [(address, ids[address], address.rpartition("@")[2], *_state(rows[address])) for address in addresses]
    columns = ("address", "id", "domain", *_RECIPIENT_STATE)
    if bulk.is_postgresql(connection):
        return {address: ids[address] for address in bulk.claim(connection, recipients, columns, values)}
    bulk.insert(connection, recipients, columns, values)  # there is no other writer
    return ids


def save_recipients(connection: Connection, rows: Iterable[RecipientRow]) -> None:
    """Write what is known of these recipients."""
    bulk.update(connection, recipients, "id", _RECIPIENT_STATE, [(*_state(row), row.id) for row in rows])


def _state(row: RecipientRow) -> bulk.Row:
    history = row.history
    return (history.last_delivered_us, history.last_hard_us, row.last_engaged_us, row.hard_count, *history.newest)


def insert_events(connection: Connection, rows: Sequence[bulk.Row]) -> None:
    """Keep new events, in the order of EVENT_COLUMNS."""
    partitions.ensure(connection, events, {row[_EVENT_RECEIVED] for row in rows})
    bulk.insert(connection, events, EVENT_COLUMNS, rows)


def change_cells(connection: Connection, cells: Mapping[EventPlace, Cell]) -> None:
    """Correct how stored events are counted."""
    rows = [(int(cell), *place) for place, cell in sorted(cells.items())]
    bulk.update(connection, events, ("id", "received_us"), ("cell",), rows)


def add_hourly(connection: Connection, deltas: Mapping[HourlyKey, Sequence[int]]) -> None:
    """Add to the hourly roll-up; each value is the six counts, then the first and last moment."""
    rows = [(*key, *deltas[key]) for key in sorted(deltas)]
    sets = ", ".join(
        (
            bulk.added(HOURLY_COUNTS, domain_hourly),
            bulk.least(connection, "first_us", domain_hourly),
            bulk.greatest(connection, "last_us", domain_hourly),
        )
    )
    columns = (*HOURLY_KEY, *HOURLY_COUNTS, "first_us", "last_us")
    bulk.upsert(connection, domain_hourly, columns, rows, conflict=f"({', '.join(HOURLY_KEY)}) DO UPDATE SET {sets}")


_DOMAIN_COLUMNS = ("domain_class", "gateway", "newest_hour", "last_hard_us", "delivered_since_hard", "last_attempt_us")


def lock_domains(connection: Connection, domains: Sequence[str]) -> dict[str, DomainRow]:
    """What is known of these recipient domains; the rows found are ours until the transaction ends."""
    # Joined: a plan that reads a table through while it is small would compare each of its rows with each element of an array.
    query = f"SELECT domain, {', '.join(_DOMAIN_COLUMNS)} FROM wanted JOIN recipient_domains d USING (domain)"  # noqa: S608 - our own names
    lock = " ORDER BY domain FOR UPDATE OF d" if bulk.is_postgresql(connection) else ""
    rows = bulk.select_for(connection, recipient_domains, ("domain",), [(domain,) for domain in domains], query + lock)
    return {
        domain: DomainRow(
            domain_class=domain_class,
            gateway=gateway,
            newest_hour=newest_hour,
            recovery=Recovery(last_hard_us=hard_us, delivered_since_hard=since, last_attempt_us=attempt_us),
        )
        for domain, domain_class, gateway, newest_hour, hard_us, since, attempt_us in rows
    }


def save_domains(connection: Connection, rows: Mapping[str, DomainRow]) -> None:
    """Write what is known of these recipient domains; two that see a domain for the first time at once both count."""
    values = [
        (
            domain,
            row.domain_class,
            row.gateway,
            row.newest_hour,
            row.recovery.last_hard_us,
            row.recovery.delivered_since_hard,
            row.recovery.last_attempt_us,
        )
        for domain, row in sorted(rows.items())
    ]
    moving = ("newest_hour", "last_hard_us", "last_attempt_us")
    kept = ("domain_class", "gateway", "delivered_since_hard")
    sets = ", ".join(
        [f"{name} = excluded.{name}" for name in kept] + [bulk.greatest(connection, name, recipient_domains) for name in moving]
    )
    bulk.upsert(connection, recipient_domains, ("domain", *_DOMAIN_COLUMNS), values, conflict=f"(domain) DO UPDATE SET {sets}")


def load_due_checks(connection: Connection, domains: Sequence[str]) -> dict[str, DueCheck]:
    """The outstanding checks of these domains."""
    columns = ("domain", "first_us", "widest_us", "due_us")
    return {row[0]: DueCheck(*row[1:]) for row in bulk.select_in(connection, due_checks, columns, key="domain", values=domains)}


def save_due_checks(connection: Connection, checks: Mapping[str, DueCheck]) -> None:
    """Write when these domains are due."""
    rows = [(domain, check.first_us, check.widest_us, check.due_us) for domain, check in sorted(checks.items())]
    sets = "first_us = excluded.first_us, widest_us = excluded.widest_us, due_us = excluded.due_us"
    columns = ("domain", "first_us", "widest_us", "due_us")
    bulk.upsert(connection, due_checks, columns, rows, conflict=f"(domain) DO UPDATE SET {sets}")


def load_lags(connection: Connection, source_ids: Iterable[int]) -> dict[int, LagRow]:
    """What was learnt of the lag of these sources, by source id."""
    columns = ("source_id", "log_lag_seconds", "delivered_count", "hard_count")
    rows = bulk.select_in(connection, source_lag, columns, key="source_id", values=sorted(source_ids))
    return {row[0]: LagRow(log_lag_seconds=row[1], delivered_count=row[2], hard_count=row[3]) for row in rows}


def add_lags(connection: Connection, changes: Mapping[int, tuple[float, int, int, int, int]]) -> None:
    """Add to sources: change of the estimate, delivered, hard, and the newest moments of receipt and of an event."""
    rows = [
        (source_id, START_LOG_LAG + change, delivered, hard, received_us, occurred_us)
        for source_id, (change, delivered, hard, received_us, occurred_us) in sorted(changes.items())
    ]
    sets = ", ".join(
        (
            # The row is inserted with the start added, so that the first change counts from there too.
            f"log_lag_seconds = source_lag.log_lag_seconds + excluded.log_lag_seconds - {START_LOG_LAG!r}",
            bulk.added(("delivered_count", "hard_count"), source_lag),
            bulk.greatest(connection, "last_received_us", source_lag),
            bulk.greatest(connection, "last_occurred_us", source_lag),
        )
    )
    columns = ("source_id", "log_lag_seconds", "delivered_count", "hard_count", "last_received_us", "last_occurred_us")
    bulk.upsert(connection, source_lag, columns, rows, conflict=f"(source_id) DO UPDATE SET {sets}")


def count_outcomes(connection: Connection, counts: Mapping[tuple[int, int, str], int]) -> None:
    """Count what became of what was received, by source, hour of receipt and outcome."""
    rows = [(*key, counts[key]) for key in sorted(counts)]
    conflict = f"(source_id, hour, outcome) DO UPDATE SET {bulk.added(('count',), source_hourly)}"
    bulk.upsert(connection, source_hourly, ("source_id", "hour", "outcome", "count"), rows, conflict=conflict)
