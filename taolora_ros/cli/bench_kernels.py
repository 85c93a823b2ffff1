"""`taolora bench kernels`: the dual-path layer on the GPU, against FP16 and other INT4 kernels."""

from __future__ import annotations

from pathlib import Path

import click

from taolora_ros.cli.bench_output import json_option, present, progress_bar
from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.workload import make_workload
from taolora_ros.hardware.device import cuda_absence
from taolora_ros.hardware.probe import probe


@click.command(name='kernels')
@json_option
def command(json_path: Path | None) -> None:
    """Time the dual-path layer on a GPU: shapes, numbers of rows and low-rank shares.

    Beside it run cuBLAS and torch.compile in FP16, and GemLite and torchao in INT4 where they are
    installed. Without a GPU nothing is measured.
    """
    machine = probe()
    if missing := cuda_absence(machine):
        absence = f'kernels are measured on a GPU alone: {missing}'
        present(record('kernels', None, settings={}, machine=machine, absence=absence), json_path)
        return
    # Triton is there only where a GPU is.
    from taolora_ros.evaluation.speed.kernels import measure_kernels, shapes_of

    workload = make_workload(1)
    with progress_bar('kernels') as progress:
        findings = measure_kernels(shapes_of(workload.network), progress=progress)
    present(record('kernels', findings, settings=workload.settings(), machine=machine), json_path)
