"""`taolora bench ingest`: what it costs to take messages in."""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.ingest import IngestPlan, measure_ingest
from taolora_ros.evaluation.speed.record import record
from taolora_ros.hardware.probe import probe

_DEFAULT = IngestPlan()


@click.command(name='ingest')
@click.option(
    '--rounds',
    type=click.IntRange(min=1),
    default=_DEFAULT.rounds,
    show_default=True,
    help='Rounds, in each of which both subscribers listen.',
)
@click.option(
    '--seconds',
    type=click.FloatRange(min=1.0),
    default=_DEFAULT.seconds,
    show_default=True,
    help='How long each listens, in s.',
)
@click.option(
    '--stress-seconds',
    type=click.FloatRange(min=1.0),
    default=_DEFAULT.stress_seconds,
    show_default=True,
    help='How long our intake listens at three times the rate, in s.',
)
@json_option
def command(rounds: int, seconds: float, stress_seconds: float, json_path: Path | None) -> None:
    """Take Imu messages at 5,000 a second, beside a plain rclpy subscriber, then at 15,000."""
    plan = IngestPlan(rounds=rounds, seconds=seconds, stress_seconds=stress_seconds)
    findings, absence = None, ''
    if importlib.util.find_spec('rclpy') is None:
        absence = 'rclpy is not importable; source ROS 2'
    else:
        with progress_bar('ingest') as progress, tempfile.TemporaryDirectory() as folder:
            findings = measure_ingest(plan, Path(folder), progress=progress)
    settings = dataclasses.asdict(plan)
    present(
        record('ingest', findings, settings=settings, machine=probe(), absence=absence), json_path
    )
