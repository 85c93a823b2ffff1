"""`taolora bench`: what is measured on this machine, a subcommand a subject."""

from __future__ import annotations

import importlib

import click

from taolora_ros.errors import nearest

# What `--help` says of a bench, without importing it.
BENCHES = {
    'accuracy': 'Events, scores and outputs at 4 bits against FP32 and against others.',
}


class Benches(click.Group):
    """A group that imports a bench's module, `taolora_ros.cli.bench_<name>`, only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHES:
            return None
        command = importlib.import_module(f'taolora_ros.cli.bench_{cmd_name}').command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in BENCHES:
            ctx.fail(f'no bench {args[0]!r}; {nearest(args[0], list(BENCHES))}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section('Benches'):
            formatter.write_dl(list(BENCHES.items()))


@click.group(cls=Benches, name='bench', subcommand_metavar='BENCH [ARGS]...')
def command() -> None:
    """Measure this package on this machine."""
