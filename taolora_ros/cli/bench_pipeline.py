"""`taolora bench pipeline`: from a blow in the live graph to the event."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import click

from taolora_ros import artifact
from taolora_ros.cli.bench_output import json_option, present
from taolora_ros.engine import Engine
from taolora_ros.evaluation.speed.pipeline import PipelineFindings, measure_pipeline
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.struck_detector import make_struck_detector
from taolora_ros.evaluation.speed.struck_machine import (
    CHANNELS,
    HOP_NS,
    RATE_HZ,
    SPACING_ROWS,
    BlowSchedule,
)
from taolora_ros.hardware.probe import probe


@click.command(name='pipeline')
@click.option(
    '--impacts',
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    help='Blows in all, one every 2.8 s on each machine, in real time.',
)
@click.option(
    '--machines',
    type=click.IntRange(min=1, max=100),
    default=2,
    show_default=True,
    help='Machines side by side, each with a detector, among which the blows are divided.',
)
@json_option
def command(impacts: int, machines: int, json_path: Path | None) -> None:
    """Strike machines of 21 channels at 100 Hz that detectors watch over DDS, in real time."""
    findings, absence = None, ''
    blows = -(-impacts // machines)
    if importlib.util.find_spec('rclpy') is None:
        absence = 'rclpy is not importable; source ROS 2'
    else:
        click.echo(f'takes about {blows * SPACING_ROWS / RATE_HZ / 60 + 1:.0f} minutes', err=True)
        findings = measured(machines, BlowSchedule(blows))
    settings = {
        'channels': len(CHANNELS),
        'rate_hz': RATE_HZ,
        'hop_ms': HOP_NS / 1e6,
        'machines': machines,
        'impacts_of_each': blows,
        'spacing_s': SPACING_ROWS / RATE_HZ,
    }
    present(
        record('pipeline', findings, settings=settings, machine=probe(), absence=absence),
        json_path,
    )


def measured(machines: int, schedule: BlowSchedule) -> PipelineFindings:
    """Train the detector, then strike."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_struck_detector()
        Engine(model)  # compiles what isn't in the cache, which the detectors then load from
        path = folder / 'model.safetensors'
        artifact.save(model, path)
        return measure_pipeline(path, folder, machines=machines, schedule=schedule)
