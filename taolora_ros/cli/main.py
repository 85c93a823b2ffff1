"""The `taolora` command: finds the verb, loads its module alone, and words what goes wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import click

from taolora_ros import __version__
from taolora_ros.cli.lazy_group import LazyGroup
from taolora_ros.errors import TaoloraError

# What `--help` says of a verb, without importing it.
VERBS = {
    'inspect': 'List what a bag holds: topics, rates, numeric fields, defects of its stamps.',
    'simulate': 'Record a simulated robot arm at work, with faults or without.',
    'train': 'Learn from bags of normal operation what normal looks like.',
    'evaluate': 'Score bags with a trained model, against their ground truth.',
    'replay': 'Play a bag through a detector: live over ROS 2, or here with --dry-run.',
    'bench': 'Measure speed, memory and accuracy on this machine.',
    'export': 'Write a model in the form that another runtime reads.',
}
FAILED, REFUSED, INTERRUPTED = 1, 2, 130


@dataclass
class Invocation:
    """What was asked of the command as a whole."""

    verbose: bool = False


@click.group(
    cls=LazyGroup,
    members=VERBS,
    kind='verb',
    title='Verbs',
    prefix='taolora_ros.cli.',
    invoke_without_command=True,
    context_settings={'help_option_names': ['-h', '--help']},
)
@click.version_option(__version__, prog_name='taolora')
@click.option('-v', '--verbose', is_flag=True, help='Show a traceback where something fails.')
@click.pass_context
def taolora(ctx: click.Context, verbose: bool) -> None:
    """Catch physical events on sensor streams with a 4-bit model."""
    ctx.obj.verbose = verbose
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status, errors worded on stderr."""
    invocation = Invocation()
    try:
        status = taolora.main(
            args=None if arguments is None else list(arguments),
            prog_name='taolora',
            standalone_mode=False,
            obj=invocation,
        )
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:
        if invocation.verbose:
            traceback.print_exc()
        click.echo(f'error: {worded(error)}', err=True)
        return REFUSED if is_users_to_mend(error) else FAILED
    return status if isinstance(status, int) else 0


def is_users_to_mend(error: Exception) -> bool:
    return isinstance(error, (TaoloraError, click.ClickException, OSError))


def worded(error: Exception) -> str:
    """An error in one line that says what to do."""
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else 'taolora'
        return f'{error.format_message().rstrip(".")}; see {path} --help'
    if isinstance(error, click.ClickException):
        return error.format_message()
    said = ' '.join(str(error).split())
    if is_users_to_mend(error):
        return said
    return (
        f'{type(error).__name__}: {said}. This is a defect of taolora_ros {__version__}: please '
        'report it to the maintainers with what `taolora --verbose …` prints'
    )


def main() -> NoReturn:
    """Entry point of the `taolora` command."""
    sys.exit(run())
