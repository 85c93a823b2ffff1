"""`taolora bench document`: what the benches of speed found, as Markdown."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.errors import DeviceError
from taolora_ros.evaluation.speed.detector_model import make_detector
from taolora_ros.evaluation.speed.document import markdown, read_records
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.kernel_table import as_markdown, kernel_table


@click.command(name='document')
@click.argument('folder', type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write the JSON files in FOLDER as one page of Markdown, to stdout.

    Beside them stand an estimate for a Jetson Orin Nano and the resources of the GPU kernels as
    they are compiled for it.
    """
    records = read_records(folder)
    model = make_detector(make_workload(1).network).watch
    click.echo(markdown(records, model, resources=resources()), nl=False)


def resources() -> str:
    """What the GPU kernels need on an Orin, as a table; a reason where they can't be compiled."""
    try:
        return as_markdown(kernel_table())
    except DeviceError as error:
        return f'Not compiled: {error}.'
