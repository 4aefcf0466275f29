"""Which event does a one-time token vouch for?"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete

from service.store import bulk
from service.store.tables import one_time_proofs


def claim_proofs(connection: Connection, claims: Mapping[bytes, bytes], now_us: int) -> dict[bytes, bytes]:
    """Keep which event each one-time token vouches for (token digest: subject digest); returns what each vouched for first."""
    rows = [(token, claims[token], now_us) for token in sorted(claims)]
    columns = ("token_digest", "subject_digest", "seen_us")
    if bulk.is_postgresql(connection):
        written = len(bulk.claim(connection, one_time_proofs, columns, rows))
    else:
        written = bulk.upsert(connection, one_time_proofs, columns, rows, conflict="(token_digest) DO NOTHING")
    if written == len(rows):  # nearly always: every token is new
        return dict(claims)
    found = bulk.select_in(connection, one_time_proofs, columns[:2], key="token_digest", values=list(claims))
    return {bytes(token): bytes(subject) for token, subject in found}


def forget_proofs(connection: Connection, before_us: int) -> int:
    """Forget one-time tokens older than any that the door still lets in; returns how many."""
    return connection.execute(delete(one_time_proofs).where(one_time_proofs.c.seen_us < before_us)).rowcount
