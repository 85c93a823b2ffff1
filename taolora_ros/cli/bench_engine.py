"""`taolora bench engine`: latency of a hop of one stream on the CPU."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.engine import measure_engine
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.timing import Pace
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.probe import probe
from taolora_ros.model.base import Precision
from taolora_ros.model.compiled import CompiledNetwork

_TOKENS = 1_000


@click.command(name='engine')
@click.option(
    '--rounds',
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help='Turns that each engine gets.',
)
@click.option(
    '--calls',
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help='Hops of an engine in one turn.',
)
@json_option
def command(rounds: int, calls: int, json_path: Path | None) -> None:
    """Time a hop of one stream: our engine, ONNX Runtime, torch, and our engine in FP32.

    All run the same network on one thread, in turn: ours a token at a time and with the relation,
    as a detector does; peers over their window of 64 tokens, without a relation.
    """
    workload = make_workload(_TOKENS)
    pace = Pace(rounds=rounds, calls=calls)
    network, relation = workload.network, workload.relation
    ours = CompiledNetwork(network, relation)
    ours_fp32 = CompiledNetwork(network, relation, precision=Precision.FP32)
    with progress_bar('engine') as progress:
        findings = measure_engine(workload, ours, ours_fp32, pace, progress=progress)
    settings = {**workload.settings(), 'rounds': rounds, 'calls': calls}
    present(record('engine', findings, settings=settings, machine=probe()), json_path)
