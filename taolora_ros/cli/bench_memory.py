"""`taolora bench memory`: bytes of model, artifact and engine, and of a running detector."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import click

from taolora_ros import artifact
from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.evaluation.speed.detector_model import make_detector, write_bag
from taolora_ros.evaluation.speed.detector_process import ProcessMemory, watch_detector
from taolora_ros.evaluation.speed.memory import measure_memory
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.probe import probe


@click.command(name='memory')
@click.option(
    '--seconds',
    type=click.FloatRange(min=1.0),
    default=20.0,
    show_default=True,
    help='Length of the recording that the detector watches live, in s.',
)
@json_option
def command(seconds: float, json_path: Path | None) -> None:
    """Count bytes by part, and look at the process of a detector that runs over ROS 2.

    Where rclpy is not importable, the process is left out.
    """
    workload = make_workload(1)
    with progress_bar('memory') as progress, tempfile.TemporaryDirectory() as folder:
        model = make_detector(workload.network)
        progress(0.3)
        path = Path(folder) / 'model.safetensors'
        artifact.save(model, path)
        detector = watched(model, path, seconds)
        progress(1.0)
        findings = measure_memory(model, file_bytes=path.stat().st_size, detector=detector)
    if detector is None:
        click.echo('no process was measured: rclpy is not importable; source ROS 2', err=True)
    settings = {**workload.settings(), 'seconds': seconds}
    present(record('memory', findings, settings=settings, machine=probe()), json_path)


def watched(model: DetectorModel, path: Path, seconds: float) -> ProcessMemory | None:
    """The process of a detector node after so many seconds of messages; None without ROS 2."""
    if importlib.util.find_spec('rclpy') is None:
        return None
    Engine(model)  # compiles what isn't in the cache, which the detector then loads from
    bag = path.with_name('bag')
    write_bag(bag, model.config, length_s=seconds)
    return watch_detector(path, bag, folder=path.parent, length_s=seconds)
