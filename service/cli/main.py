"""Which commands are there? Each is in a module of this room, loaded when it is called; this one lists them and words their errors."""

import sys
from importlib import import_module

import click
from click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from service import VERSION
from service.alerting.policy import PolicyError
from service.model.errors import HoppError
from service.settings import SettingsError

_COMMANDS = {
    "serve": "running:serve_command",
    "worker": "running:worker_command",
    "migrate": "running:migrate_command",
    "token": "tokens:token_group",
    "import": "history:import_command",
    "backtest": "history:backtest_command",
    "parse": "reading:parse_command",
    "classify": "classifying:classify_command",
    "replay": "replay:replay_command",
    "retain": "retaining:retain_command",
    "erase": "erasing:erase_command",
    "sources": "sources:sources_command",
    "doctor": "doctor:doctor_command",
    "demo": "demo.command:demo_command",
    "send-sample": "samples.command:send_sample_command",
}


class _Commands(click.Group):
    """Loads a command when it is asked for: `classify` in a pipe need not wait for the code of the web."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"service.cli.{module}"), name)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="Hopp", message="%(prog)s %(version)s")
def commands() -> None:
    """Hopp: bounce webhooks of many ESPs in; one event schema, labels and few, true alerts out.

    Settings come from HOPP_… variables and hopp.toml; docs/settings.md lists them all.
    """


def main() -> None:
    """Run a command; what is known to go wrong ends as one line on standard error, never as a traceback."""
    try:
        commands.main(standalone_mode=False)
    except ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (HoppError, SettingsError, PolicyError) as error:
        click.echo(f"hopp: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        sys.exit(0)


def _show(error: ClickException) -> None:
    """Like every other error, and below the usage where the command was written wrongly."""
    if isinstance(error, NoArgsIsHelpError):
        error.show()
        return
    if isinstance(error, UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nAll options: {error.ctx.command_path} --help\n", err=True)
    click.echo(f"hopp: {error.format_message()}", err=True)
