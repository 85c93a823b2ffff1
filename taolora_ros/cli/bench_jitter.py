"""`taolora bench jitter`: how evenly hops take their time."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.jitter import measure_jitter
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.probe import probe
from taolora_ros.model.compiled import CompiledNetwork

_TOKENS = 5_000


@click.command(name='jitter')
@click.option(
    '--hops',
    type=click.IntRange(min=_TOKENS),
    default=200_000,
    show_default=True,
    help='Hops to time.',
)
@json_option
def command(hops: int, json_path: Path | None) -> None:
    """Time many hops of one stream on the CPU, steady and transient ones mixed in bursts."""
    workload = make_workload(_TOKENS)
    engine = CompiledNetwork(workload.network)
    with progress_bar('jitter') as progress:
        findings = measure_jitter(workload, engine, hops, progress=progress)
    settings = {**workload.settings(), 'hops': hops}
    present(record('jitter', findings, settings=settings, machine=probe()), json_path)
