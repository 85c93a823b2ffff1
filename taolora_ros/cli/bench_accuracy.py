"""`taolora bench accuracy`: every figure of detection and quantization, from scratch."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from taolora_ros.bags import read_recording
from taolora_ros.config import IngestConfig, to_mapping
from taolora_ros.errors import ConfigError, nearest
from taolora_ros.evaluation.accuracy import settings
from taolora_ros.evaluation.accuracy.document import findings_to_mapping
from taolora_ros.evaluation.accuracy.study import SETS, Request, run_study
from taolora_ros.evaluation.accuracy.subjects import ArmJob, ArmRecording
from taolora_ros.evaluation.accuracy.tables import print_findings
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.evaluation.events import Truth
from taolora_ros.evaluation.speed.record import versions
from taolora_ros.hardware.probe import probe
from taolora_ros.simulation.faults import CHANNELS
from taolora_ros.simulation.recording import SimulationConfig
from taolora_ros.simulation.simulate import simulate

ARM_CHANNELS = tuple(channel for channels in CHANNELS.values() for channel in channels)
_PACKAGES = ('numpy', 'scipy', 'scikit-learn', 'torch', 'mujoco', 'aeon')


@click.command(name='accuracy')
@click.option('--quick', is_flag=True, help='Fewer recordings and ways: under 10 minutes.')
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Write all figures as JSON.'
)
@click.option(
    '--data',
    type=click.Path(path_type=Path),
    default=Path('../shared/data/dev'),
    show_default=True,
    help='Folder of the development sets; those that it lacks are left out.',
)
@click.option(
    '--sets',
    default=','.join(SETS),
    show_default=True,
    help='Sets to measure, separated by commas.',
)
@click.option(
    '--workers',
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help='Processes, each on one thread.',
)
def command(quick: bool, json_path: Path | None, data: Path, sets: str, workers: int) -> None:
    """Measure what 4 bits keep of FP32, and how the detector fares beside others.

    Trains and judges on simulated recordings of the arm and on the development sets, in under an
    hour on two cores. Definitions of the figures are in the JSON.
    """
    if json_path and not json_path.absolute().parent.is_dir():
        raise ConfigError(f'{json_path.parent}: no such folder for {json_path.name}; make it')
    request = Request(
        scale=settings.QUICK if quick else settings.FULL,
        sets=_sets(sets),
        data=data,
        record_arm=record_arm,
        arm_channels=ARM_CHANNELS,
    )
    began = time.perf_counter()
    with _bars() as progress:
        stages: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in stages or progress.tasks[stages[stage]].finished:
                stages[stage] = progress.add_task(stage, total=total)
            progress.update(stages[stage], completed=done)
            if done == total and not progress.console.is_terminal:  # a log shows no moving bar
                spent = time.perf_counter() - began
                click.echo(f'{stage}: {total} done, {spent:.0f} s since the start', err=True)

        with Workers(workers, advance) as pool:
            findings = run_study(request, pool)
    document = {
        **_facts(request, quick=quick),
        'seconds': round(time.perf_counter() - began, 1),
        **findings_to_mapping(findings),
    }
    if json_path:
        json_path.write_text(json.dumps(document, indent=2) + '\n', encoding='utf-8')
    print_findings(Console(), document)


def record_arm(job: ArmJob) -> ArmRecording:
    """Simulate a recording of the arm, and read it as any bag is read."""
    changes: dict[str, Any] = {'kinds': ()} if job.strength is None else {'strength': job.strength}
    config = SimulationConfig(duration_s=job.duration_s, seed=job.seed, **changes)
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / 'bag'
        faults = simulate(bag, config, progress=lambda share: None)
        ingest = IngestConfig(sample_rate_hz=settings.ARM_RATE_HZ)
        recording = read_recording(bag, ARM_CHANNELS, ingest)
    return ArmRecording(
        recording=dataclasses.replace(recording, name=job.name),
        truths=tuple(Truth(fault.kind.value, fault.onset_ns, fault.end_ns) for fault in faults),
        strengths=tuple(fault.strength for fault in faults),
    )


def _sets(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(',') if name.strip()]
    for name in names:
        if name not in SETS:
            raise ConfigError(f'--sets: no set {name!r}; {nearest(name, SETS)}')
    if not names:
        raise ConfigError(f'--sets: none named; known: {", ".join(SETS)}')
    return tuple(name for name in SETS if name in names)


def _bars() -> Progress:
    return Progress(
        TextColumn('{task.description:<24}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _facts(request: Request, *, quick: bool) -> dict[str, Any]:
    arm = settings.detector_config(
        ARM_CHANNELS, settings.ARM_RATE_HZ, warmup_s=settings.ARM_WARMUP_S
    )
    machine = probe()
    return {
        'command': shlex.join(['taolora', *sys.argv[1:]]),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'versions': versions(_PACKAGES),
        'machine': {
            'cores': os.cpu_count(),
            'cpu': machine.processor,
            'architecture': machine.architecture,
        },
        'settings': {
            'quick': quick,
            'sets': list(request.sets),
            'scale': dataclasses.asdict(request.scale),
            'false_alarms_per_hour': settings.FALSE_ALARMS_PER_HOUR,
            'token_s': settings.TOKEN_S,
            'warmup_s': settings.WARMUP_S,
            'arm_warmup_s': settings.ARM_WARMUP_S,
            'lead_rows': settings.LEAD_ROWS,
            'tolerance_s': settings.TOLERANCE_S,
            'arm_config': to_mapping(arm),
        },
    }
