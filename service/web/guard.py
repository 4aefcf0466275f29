"""Who may call what under /api?"""

from flask import Flask, Response, g, request

from service.bootstrap import Hopp
from service.model.words import Role
from service.store import tokens
from service.web.problems import problem
from service.web.routes import ROLE_MARK, SCHEME

PREFIX = "/api/"
_ROLES = tuple(Role)  # each includes the ones before it
_TOKEN_LENGTH = 200
_REALM = 'Bearer realm="hopp"'


def register_guard(app: Flask, hopp: Hopp) -> None:
    """Ask every request under /api for its token before anything else is looked at."""

    def guard() -> Response | None:
        if not request.path.startswith(PREFIX) and request.path != PREFIX.rstrip("/"):
            return None
        given = _given_token()
        if given is None:
            return _refuse("Send a bearer token in the header Authorization.", _REALM)
        with hopp.database.read() as connection:
            token = tokens.find(connection, given)
        if token is None:
            return _refuse("This token is unknown or revoked.", f'{_REALM}, error="invalid_token"')
        needed = needed_role(app, request.endpoint)
        if _ROLES.index(token.role) < _ROLES.index(needed):
            challenge = f'{_REALM}, error="insufficient_scope", scope="{needed}"'
            return problem(403, f"This needs the role {needed}.", headers={"WWW-Authenticate": challenge})
        g.role = token.role
        return None

    app.before_request(guard)


def needed_role(app: Flask, endpoint: str | None) -> Role:
    """The role that an endpoint was given, admin where none was; any token may be told that there is no such address."""
    if endpoint is None:
        return Role.READER
    role = getattr(app.view_functions[endpoint], ROLE_MARK, Role.ADMIN)
    return Role(role)


def may_see_addresses() -> bool:
    """Whether this request's token may see whole mail addresses."""
    return _ROLES.index(g.role) >= _ROLES.index(Role.OPERATOR)


def _given_token() -> str | None:
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    given = given.strip()
    return given if scheme.lower() == SCHEME and 0 < len(given) <= _TOKEN_LENGTH else None


def _refuse(detail: str, challenge: str) -> Response:
    return problem(401, detail, headers={"WWW-Authenticate": challenge})
