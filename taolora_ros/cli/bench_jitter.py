"""`taolora bench jitter`: how evenly hops take their time."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.jitter import JitterRuns, measure_jitter
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
    help='Hops to time in a run.',
)
@click.option(
    '--runs',
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help='Runs; the one with the median ratio of transient to steady hops is reported.',
)
@json_option
def command(hops: int, runs: int, json_path: Path | None) -> None:
    """Time many hops of one stream on the CPU, steady and transient ones mixed in bursts.

    They run the relation as well, as a detector does.
    """
    workload = make_workload(_TOKENS)
    engine = CompiledNetwork(workload.network, workload.relation)
    with progress_bar('jitter') as progress:
        found = []
        for number in range(runs):
            found.append(measure_jitter(workload, engine, hops))
            progress((number + 1) / runs)
    settings = {**workload.settings(), 'hops': hops, 'runs': runs}
    present(record('jitter', JitterRuns(found), settings=settings, machine=probe()), json_path)
