"""Which events are known, and what were people before the events that are kept?"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from service.alerting.counting import History
from service.store import bulk
from service.store.kept_tables import event_keys, recipient_bases
from service.store.tables import events


def claim_event_keys(connection: Connection, received_us: Mapping[bytes, int]) -> set[bytes]:
    """Those of the events (key: moment of receipt) that are not kept yet; the caller has to insert them.

    PostgreSQL keeps the keys in a table of their own, for events lie in partitions; there, whoever claims one of them at the
    same time waits for our commit.
    """
    if bulk.is_postgresql(connection):
        rows = [(key, received_us[key]) for key in sorted(received_us)]
        return set(bulk.claim(connection, event_keys, ("event_key", "received_us"), rows))
    known = bulk.select_in(connection, events, ("event_key",), key="event_key", values=list(received_us))
    return received_us.keys() - {bytes(row[0]) for row in known}


def load_bases(connection: Connection, recipient_ids: Sequence[int]) -> dict[int, History]:
    """What these recipients were before the oldest event that is kept of them, where retention has dropped any."""
    columns = ("recipient_id", "delivered_us", "hard_us")
    rows = bulk.select_in(connection, recipient_bases, columns, key="recipient_id", values=recipient_ids)
    return {recipient_id: History(delivered_us, hard_us) for recipient_id, delivered_us, hard_us in rows}
