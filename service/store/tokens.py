"""Who may call the API, and as what? Tokens are shown once; only their digests are kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from service.model.errors import HoppError
from service.model.moments import to_us
from service.model.words import Role
from service.store.token_tables import api_tokens

_NAME_LENGTH = 100


class TokenNameError(HoppError):
    """A token's name is empty, too long, or already given to another token: choose another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One API token, as it may be listed."""

    name: str
    role: Role
    created_us: int
    revoked_us: int | None


def create(connection: Connection, name: str, role: Role, now: datetime) -> str:
    """Add a token and return its text, which nobody can show again; raises TokenNameError."""
    if not 0 < len(name) <= _NAME_LENGTH:
        raise TokenNameError(f"A token's name has 1 to {_NAME_LENGTH} characters.")
    holder = connection.execute(select(api_tokens.c.id, api_tokens.c.revoked_us).where(api_tokens.c.name == name)).first()
    if holder is not None and holder.revoked_us is None:
        raise TokenNameError(f"There is a token named {name!r}. Choose another name, or revoke it: python -m service token revoke")
    if holder is not None:
        _free_name(connection, holder.id, name)
    text = f"hopp_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(api_tokens).values(name=name, role=role.value, token_sha256=_digest(text), created_us=to_us(now), revoked_us=None)
    )
    return text


def _free_name(connection: Connection, token_id: int, name: str) -> None:
    """A revoked token stays in the list, under a name that says which it was: the next of this name is another one."""
    kept = f"{name[: _NAME_LENGTH - 30]} (revoked, number {token_id})"
    connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(name=kept))


def find(connection: Connection, text: str) -> Token | None:
    """The token with this text, unless it was revoked."""
    row = connection.execute(
        select(api_tokens).where(api_tokens.c.token_sha256 == _digest(text), api_tokens.c.revoked_us.is_(None))
    ).first()
    return None if row is None else _token(row.name, row.role, row.created_us, row.revoked_us)


def revoke(connection: Connection, name: str, now: datetime) -> bool:
    """Take a token's rights away for good; false where there is no such token or it has none any more."""
    changed = connection.execute(
        update(api_tokens).where(api_tokens.c.name == name, api_tokens.c.revoked_us.is_(None)).values(revoked_us=to_us(now))
    )
    return changed.rowcount == 1


def list_all(connection: Connection) -> tuple[Token, ...]:
    """Every token there is or was, oldest first."""
    rows = connection.execute(select(api_tokens).order_by(api_tokens.c.id))
    return tuple(_token(row.name, row.role, row.created_us, row.revoked_us) for row in rows)


def _token(name: str, role: str, created_us: int, revoked_us: int | None) -> Token:
    return Token(name=name, role=Role(role), created_us=created_us, revoked_us=revoked_us)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
