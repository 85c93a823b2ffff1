"""`taolora bench stream-step`: latency of a hop on the GPU, against CUDA graphs of FP16 torch."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.stream_step import measure_stream_step
from taolora_ros.evaluation.speed.timing import Pace
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.device import cuda_absence
from taolora_ros.hardware.probe import probe
from taolora_ros.model.compiled import stream_operands

_TOKENS = 1_000


@click.command(name='stream-step')
@click.option(
    '--rounds',
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help='Turns that each engine gets.',
)
@json_option
def command(rounds: int, json_path: Path | None) -> None:
    """Time a hop of one stream on a GPU: ours, and torch in FP16 as CUDA graphs.

    Torch runs the same network token by token, and window by window; ours runs the relation as
    well, as a detector does. Without a GPU nothing is measured.
    """
    machine = probe()
    if missing := cuda_absence(machine):
        absence = f'a hop of the GPU engine needs a GPU: {missing}'
        present(
            record('stream-step', None, settings={}, machine=machine, absence=absence), json_path
        )
        return
    # Triton is there only where a GPU is.
    from taolora_ros.kernels.stream_step.gpu import GpuStreams

    workload = make_workload(_TOKENS)
    operands = stream_operands(workload.network, workload.relation)
    ours = GpuStreams(operands, streams=1)
    with progress_bar('stream-step') as progress:
        findings = measure_stream_step(
            workload, ours, Pace(rounds=rounds, calls=25), progress=progress
        )
    settings = {**workload.settings(), 'rounds': rounds}
    present(record('stream-step', findings, settings=settings, machine=machine), json_path)
