"""A group of commands, each a module that is imported only to run it or to show its help."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import click

from taolora_ros.errors import nearest


class LazyGroup(click.Group):
    """Commands by name; that of `name` is `command` in the module `<prefix><name>`.

    Args:
        members: what `--help` says of each command, by its name. A '-' is a '_' in the module's
            name, and one without a module is not listed.
        kind: what a member is called, e.g. 'verb'.
        title: what they are called together, e.g. 'Verbs'.
        prefix: start of the modules' names, e.g. 'taolora_ros.cli.'.
        settings: what click's own group takes.
    """

    def __init__(
        self, *, members: Mapping[str, str], kind: str, title: str, prefix: str, **settings: Any
    ) -> None:
        super().__init__(subcommand_metavar=f'{kind.upper()} [ARGS]...', **settings)
        self._members = members
        self._kind = kind
        self._title = title
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self._members if importlib.util.find_spec(self._module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(self._module(cmd_name)).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in (known := self.list_commands(ctx)):
            ctx.fail(f'no {self._kind} {args[0]!r}; {nearest(args[0], known)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(self._title):
            formatter.write_dl([(name, self._members[name]) for name in self.list_commands(ctx)])

    def _module(self, name: str) -> str:
        return self._prefix + name.replace('-', '_')
