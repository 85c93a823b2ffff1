"""`taolora bench offline`: how fast a whole recording is worked off on the CPU."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.offline import measure_offline
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.timing import Pace
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.probe import probe
from taolora_ros.model.compiled import CompiledNetwork


@click.command(name='offline')
@click.option(
    '--tokens',
    type=click.IntRange(min=64),
    default=20_000,
    show_default=True,
    help='Length of the recording, in tokens of 8 rows.',
)
@click.option(
    '--rounds', type=click.IntRange(min=1), default=15, show_default=True, help='Turns of each.'
)
@json_option
def command(tokens: int, rounds: int, json_path: Path | None) -> None:
    """Time a whole recording: ours at 4 bits and torch in FP32, each on one thread, in turn.

    Ours takes some tens of tokens at a time, and gives the bits that hops give. It is timed once
    more with the relation, which a detector runs as well and torch hasn't got.
    """
    workload = make_workload(tokens)
    ours = CompiledNetwork(workload.network)
    with_relation = CompiledNetwork(workload.network, workload.relation)
    pace = Pace(rounds=rounds, calls=1, settle=0)
    with progress_bar('offline') as progress:
        findings = measure_offline(
            workload, ours.run, with_relation.run, pace, progress=progress
        )  # fmt: skip
    settings = {**workload.settings(), 'rounds': rounds}
    present(record('offline', findings, settings=settings, machine=probe()), json_path)
