"""`taolora evaluate`: run a trained detector over bags, exactly as it would run live."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from taolora_ros import __version__, artifact
from taolora_ros.bags import read_recording
from taolora_ros.config import Config, read_config
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.document import evaluation_to_mapping
from taolora_ros.evaluation.fidelity import has_twin
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.evaluation.report import ReportRun, twins_of, write_report
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.tables import print_fidelity, print_results
from taolora_ros.evaluation.truth import read_truths
from taolora_ros.model.base import Precision


@click.command(name='evaluate')
@click.argument('model', type=click.Path(path_type=Path))
@click.argument('bags', type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    '--labels',
    default='',
    metavar='/TOPIC:FIELD',
    help='Ground truth, non-zero where anomalous. Default: the configuration\'s "labels", else '
    '/ground_truth/faults or /ground_truth/anomaly where the bag has them.',
)
@click.option(
    '--config',
    'config_path',
    type=click.Path(path_type=Path),
    help='YAML of settings that replace those in the model, e.g. detection.',
)
@click.option(
    '--tolerance',
    'tolerance_s',
    type=click.FloatRange(min=0.0),
    default=1.0,
    show_default=True,
    help='How long after its end an event may still be reported, in s.',
)
@click.option(
    '--no-fp32',
    is_flag=True,
    help='Leave out the FP32 twin, which --json and --report run beside the 4-bit model where '
    'the artifact holds it: half the time.',
)
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Write all figures as JSON.'
)
@click.option(
    '--report', 'report_path', type=click.Path(path_type=Path), help='Write an HTML page.'
)
def command(
    model: Path,
    bags: tuple[Path, ...],
    labels: str,
    config_path: Path | None,
    tolerance_s: float,
    no_fp32: bool,
    json_path: Path | None,
    report_path: Path | None,
) -> None:
    """Run MODEL over BAGS with the code that runs live, and compare with the ground truth.

    Definitions of the figures: docs/evaluation.md.
    """
    detector = artifact.load(model)
    config = read_config(config_path, detector.config) if config_path else detector.config
    console = Console()
    precisions = [Precision.INT4_ROUTED]
    if (json_path or report_path) and not no_fp32 and has_twin(detector):
        precisions.append(Precision.FP32)
    runs: list[ReportRun] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task('evaluating', total=len(bags) * len(precisions))
        for bag in bags:
            judged: list[RunResult] = []
            for precision in precisions:
                progress.update(task, description=f'{bag.name} {precision.value}')
                judged.append(
                    evaluate_bag(
                        detector,
                        bag,
                        config=config,
                        labels=labels,
                        tolerance_s=tolerance_s,
                        precision=precision,
                    )
                )
                progress.advance(task)
            recording = None
            if report_path:
                recording = read_recording(bag, detector.channels, config.ingest)
            result, *twins = judged
            runs.append(ReportRun(result, recording, next(iter(twins), None)))
    results = [run.result for run in runs]
    facts = _facts(model, config, tolerance_s)
    print_results(console, results, detector.channels)
    print_fidelity(console, twins_of(runs))
    if json_path:
        figures = evaluation_to_mapping(
            runs, channels=detector.channels, detection=config.detection
        )
        data = {**facts, **figures}
        json_path.write_text(json.dumps(data, indent=2) + '\n', encoding='utf-8')
    if report_path:
        write_report(
            report_path,
            runs,
            channels=detector.channels,
            title=f'Evaluation of {model.name}',
            facts={name.replace('_', ' '): text for name, text in facts.items()},
            detection=config.detection,
        )
        console.print(f'report: {report_path}', highlight=False, markup=False)


def evaluate_bag(
    detector: DetectorModel,
    bag: Path,
    *,
    config: Config,
    labels: str,
    tolerance_s: float,
    precision: Precision = Precision.INT4_ROUTED,
) -> RunResult:
    """Stream one bag through a fresh pipeline and judge what came out.

    Args:
        detector: the trained model.
        bag: the recording.
        config: settings of intake and detection, the model's or changed.
        labels: ground truth asked for; '' takes the configured or the simulator's.
        tolerance_s: how long after its end an event may still be reported.
        precision: arithmetic of the model.

    Raises:
        BagError: the bag can't be read.
        ChannelError: it lacks a channel of the model, or the labels asked for.
    """
    truths = read_truths(bag, labels, config.labels)
    began = time.perf_counter()
    run = run_bag(detector, bag, config, precision=precision)
    return judge(
        bag.name,
        run.trace,
        truths,
        tolerance_s=tolerance_s,
        counts=run.counts,
        wall_s=time.perf_counter() - began,
    )


def _facts(model: Path, config: Config, tolerance_s: float) -> dict[str, str]:
    return {
        'model': str(model),
        'asked_false_alarms_per_hour': f'{config.detection.false_alarms_per_hour:g}',
        'tolerance_s': f'{tolerance_s:g}',
        'command': shlex.join(['taolora', *sys.argv[1:]]),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'taolora_ros': __version__,
        'python': platform.python_version(),
        'machine': f'{platform.machine()}, {os.cpu_count()} cores',
    }
