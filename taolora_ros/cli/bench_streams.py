"""`taolora bench streams`: what a hop costs a stream when many are watched at once."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.hops import stepping_together
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.streams import StreamCosts, StreamsFindings, measure_streams
from taolora_ros.evaluation.speed.timing import Pace
from taolora_ros.evaluation.speed.workload import Workload, make_workload
from taolora_ros.hardware.device import cuda_absence
from taolora_ros.hardware.probe import probe
from taolora_ros.model.compiled import CompiledStreams, stream_operands

ON_CPU = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ON_GPU = (*ON_CPU, 512, 1024)


@click.command(name='streams')
@click.option(
    '--rounds',
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help='Turns that each number of streams gets.',
)
@json_option
def command(rounds: int, json_path: Path | None) -> None:
    """Time hops of 1 to 256 streams on the CPU, and of 1 to 1,024 on a GPU where there is one."""
    workload = make_workload(max(ON_GPU), transient_share=0.0)  # the same for any number
    machine, pace = probe(), Pace(rounds=rounds, calls=5)
    with progress_bar('streams') as progress:
        steps = {
            streams: stepping_together(
                CompiledStreams(workload.network, workload.relation, streams=streams),
                workload,
                streams,
            )
            for streams in ON_CPU
        }
        cpu = measure_streams(steps, pace, progress=progress)
        missing = cuda_absence(machine)
        gpu = None if missing else on_gpu(workload, pace)
    if missing:
        click.echo(f'no GPU was measured: {missing}', err=True)
    settings = {**workload.settings(), 'rounds': rounds}
    findings = StreamsFindings(cpu, gpu)
    present(record('streams', findings, settings=settings, machine=machine), json_path)


def on_gpu(workload: Workload, pace: Pace) -> StreamCosts:
    """The same on a GPU."""
    # Triton is there only where a GPU is.
    from taolora_ros.kernels.stream_step.gpu import GpuStreams

    operands = stream_operands(workload.network, workload.relation)
    steps = {
        streams: stepping_together(GpuStreams(operands, streams=streams), workload, streams)
        for streams in ON_GPU
    }
    return measure_streams(steps, pace)
