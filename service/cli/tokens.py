"""The command that makes, lists and revokes API tokens."""

import click

from service.bootstrap import Hopp, build
from service.model.moments import iso
from service.model.words import Role
from service.settings import settings_for_command
from service.store import schema, soundness, tokens

_FIRST_NAME = "first-start"


@click.group("token")
def token_group() -> None:
    """Make, list and revoke the bearer tokens of the API."""


def _hopp() -> Hopp:
    hopp = build(settings_for_command())
    if not soundness.is_there(hopp.database):  # asking for tokens makes no database: its path may be mistyped
        message = f"there is no {hopp.database.described} yet. Start Hopp, make a token (token new), or correct HOPP_DATABASE."
        raise click.ClickException(message)
    schema.check(hopp.database)
    return hopp


def _hopp_with_tables() -> Hopp:
    """A token may be made before the first start."""
    hopp = build(settings_for_command())
    if hopp.settings.is_embedded:
        schema.migrate(hopp.database)
    schema.check(hopp.database)
    return hopp


@token_group.command("new")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What the token may do.")
@click.option("--name", required=True, help="Who uses it; unique.")
def new_command(role: str, name: str) -> None:
    """Print a new token, alone, on standard output. It is shown only now: the database keeps its digest."""
    hopp = _hopp_with_tables()
    with hopp.database.write() as connection:
        token = tokens.create(connection, name=name, role=Role(role), now=hopp.now())
    click.echo(token)


@token_group.command("list")
def list_command() -> None:
    """List all tokens by name; the tokens themselves are not kept."""
    with _hopp().database.read() as connection:
        found = tokens.list_all(connection)
    for item in found:
        state = f"revoked {iso(item.revoked_us)}" if item.revoked_us else "live"
        click.echo(f"{item.name:<30} {item.role:<10} made {iso(item.created_us)}   {state}")
    if not found:
        click.echo("There is no token. Make one: python -m service token new --role reader --name NAME", err=True)


@token_group.command("revoke")
@click.option("--name", required=True, help="The token's name.")
def revoke_command(name: str) -> None:
    """Revoke a token: from now on it opens nothing."""
    hopp = _hopp()
    with hopp.database.write() as connection:
        is_revoked = tokens.revoke(connection, name=name, now=hopp.now())
    if not is_revoked:
        message = f"there is no live token named {name!r}; see: python -m service token list"
        raise click.ClickException(message)


def first_token(hopp: Hopp) -> str | None:
    """A token for whoever starts the embedded default for the first time; None where any token was ever made."""
    if not hopp.settings.is_embedded:
        return None
    with hopp.database.write() as connection:
        if tokens.list_all(connection):
            return None
        return tokens.create(connection, name=_FIRST_NAME, role=Role.ADMIN, now=hopp.now())
