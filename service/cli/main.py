"""Which commands are there? Each is a module of this room; this one gathers them and words their errors."""

import sys

import click
from click.exceptions import ClickException

from service.alerting.policy import PolicyError
from service.cli.classifying import classify_command
from service.cli.demo.command import demo_command
from service.cli.doctor import doctor_command
from service.cli.history import backtest_command, import_command
from service.cli.reading import parse_command
from service.cli.replay import replay_command
from service.cli.running import migrate_command, serve_command, worker_command
from service.cli.samples.command import send_sample_command
from service.cli.sources import sources_command
from service.cli.tokens import token_group
from service.model.errors import HoppError
from service.settings import SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Hopp: bounce webhooks of many ESPs in; one event schema, labels and few, true alerts out.

    Settings come from HOPP_… variables and hopp.toml; docs/settings.md lists them all.
    """


for command in (
    serve_command,
    worker_command,
    migrate_command,
    token_group,
    import_command,
    backtest_command,
    parse_command,
    classify_command,
    replay_command,
    sources_command,
    doctor_command,
    demo_command,
    send_sample_command,
):
    commands.add_command(command)


def main() -> None:
    """Run a command; what is known to go wrong ends as one line on standard error, never as a traceback."""
    try:
        commands.main(standalone_mode=False)
    except ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (HoppError, SettingsError, PolicyError) as error:
        click.echo(f"hopp: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        sys.exit(0)
