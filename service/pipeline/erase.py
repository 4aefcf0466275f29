"""What has to be done so that nothing kept names one person any more, and every count stays as it is?

Deliveries first, then events and recipient: broken off, it finds the person again when it is asked once more.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from service.schemas.masking import mask_text
from service.store import erasure
from service.store.database import Connection, Database
from service.store.erasure import ArchivedText, Person

_SHORTEST_NAME = 3  # a shorter local part is part of too many words
_GONE = "[erased]"
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was done, or would be."""

    is_known: bool  # as a recipient
    deliveries: int
    events: int


def count_work(database: Database) -> int:
    """How many archived deliveries have to be read."""
    return erasure.count_deliveries(database)


def erase(database: Database, address: str, *, is_dry_run: bool, progress: Callable[[int], None] = lambda _read: None) -> Erased:
    """Take an address (lower case, as recipients are kept) out of archive, events and recipients; `progress` is told what was read."""
    with database.read() as connection:
        person = erasure.find_person(connection, address)
        bringing = erasure.load_bringing(connection, person) if person else set()
    emptied = 0
    for texts in erasure.load_texts(database):
        places = [item.place for item in texts if item.place in bringing or names(item, address)]
        emptied += len(places)
        if places and not is_dry_run:
            with database.write() as connection:
                erasure.overwrite_freed(connection)
                erasure.empty_deliveries(connection, places)
        progress(len(texts))
    events = _erase_events(database, address, person, is_dry_run=is_dry_run)
    if not is_dry_run:
        erasure.shorten_log(database)
    return Erased(is_known=person is not None, deliveries=emptied, events=events)


def names(item: ArchivedText, address: str) -> bool:
    """True where any text of a delivery holds the address, in a spelling that a webhook may use."""
    spellings = {address, address.replace("@", "%40"), quote(address).lower(), address.replace("@", "\\u0040")}
    needles = [spelling.encode() for spelling in spellings]
    return any(needle in written.lower() for written in item.written for needle in needles)


def _erase_events(database: Database, address: str, person: Person | None, *, is_dry_run: bool) -> int:
    """In one transaction: either all that is left of the person is renamed, or the person is still found."""
    if is_dry_run:
        with database.read() as connection:
            return sum(1 for _ in _rows(connection, address, person))
    clean, salt, count = _cleaner(address), secrets.token_bytes(_SALT_BYTES), 0
    with database.write() as connection:
        erasure.overwrite_freed(connection)
        for row in _rows(connection, address, person):
            erasure.save_event_texts(connection, row, clean, salt)
            count += 1
        if person is not None:
            erasure.rename_person(connection, person)
    return count


def _rows(connection: Connection, address: str, person: Person | None) -> Iterator[erasure.EventTexts]:
    after_id: int | None = 0
    while after_id is not None:
        found, after_id = erasure.load_event_texts(connection, address, person, after_id)
        yield from found


def _cleaner(address: str) -> Callable[[str | None], str | None]:
    """Takes the address, its local part where that stands alone, and every other address out of an answer."""
    local = address.rpartition("@")[0]
    words = [re.escape(address)]
    if len(local) >= _SHORTEST_NAME:
        words.append(rf"(?<![\w.+-]){re.escape(local)}(?![\w+-]|\.\w)")
    own = re.compile("|".join(words), re.IGNORECASE)
    return lambda text: None if text is None else mask_text(own.sub(_GONE, text))
