"""What the benches of speed share: their options, their progress bar, and where results go."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from taolora_ros.errors import ConfigError
from taolora_ros.evaluation.speed.tables import print_record

STDOUT = Path('-')


def _writable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse before the work what can't be written after it."""
    if path and path != STDOUT:
        if path.is_dir():
            raise ConfigError(f'{path}: is a folder; name a file in it, e.g. {path / "out.json"}')
        if not path.absolute().parent.is_dir():
            raise ConfigError(f'{path.parent}: no such folder for {path.name}; make it')
    return path


json_option = click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    callback=_writable,
    help='Write the results, with hardware, versions, command and date; - for stdout.',
)


@contextlib.contextmanager
def progress_bar(words: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr; gives what is to be told the share that is done."""
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(words, total=1.0)
        yield lambda share: bars.update(task, completed=share)


def present(record: dict[str, Any], json_path: Path | None) -> None:
    """Print a bench's record as tables, and write it where that was asked for."""
    to_stdout = json_path == STDOUT
    print_record(Console(stderr=to_stdout), record)
    text = json.dumps(record, indent=2, allow_nan=False)
    if to_stdout:
        click.echo(text)
    elif json_path:
        json_path.write_text(text + '\n', encoding='utf-8')
