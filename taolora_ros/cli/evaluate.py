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
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.evaluation.report import ReportRun, write_report
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.summary import run_to_mapping, summarize, summary_to_mapping
from taolora_ros.evaluation.tables import print_results
from taolora_ros.evaluation.truth import read_truths


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
    json_path: Path | None,
    report_path: Path | None,
) -> None:
    """Run MODEL over BAGS with the code that runs live, and compare with the ground truth.

    Definitions of the figures: docs/evaluation.md.
    """
    detector = artifact.load(model)
    config = read_config(config_path, detector.config) if config_path else detector.config
    console = Console()
    runs: list[ReportRun] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task('evaluating', total=len(bags))
        for bag in bags:
            progress.update(task, description=bag.name)
            result = evaluate_bag(
                detector, bag, config=config, labels=labels, tolerance_s=tolerance_s
            )
            recording = None
            if report_path:
                recording = read_recording(bag, detector.channels, config.ingest)
            runs.append(ReportRun(result, recording))
            progress.advance(task)
    results = [run.result for run in runs]
    facts = _facts(model, config, tolerance_s)
    print_results(console, results, detector.channels)
    if json_path:
        data = {
            **facts,
            **summary_to_mapping(summarize(results)),
            'channels': list(detector.channels),
            'runs': [run_to_mapping(result, detector.channels) for result in results],
        }
        json_path.write_text(json.dumps(data, indent=2) + '\n', encoding='utf-8')
    if report_path:
        write_report(
            report_path,
            runs,
            channels=detector.channels,
            title=f'Evaluation of {model.name}',
            facts={name.replace('_', ' '): text for name, text in facts.items()},
        )
        console.print(f'report: {report_path}', highlight=False, markup=False)


def evaluate_bag(
    detector: DetectorModel, bag: Path, *, config: Config, labels: str, tolerance_s: float
) -> RunResult:
    """Stream one bag through a fresh pipeline and judge what came out.

    Args:
        detector: the trained model.
        bag: the recording.
        config: settings of intake and detection, the model's or changed.
        labels: ground truth asked for; '' takes the configured or the simulator's.
        tolerance_s: how long after its end an event may still be reported.

    Raises:
        BagError: the bag can't be read.
        ChannelError: it lacks a channel of the model, or the labels asked for.
    """
    truths = read_truths(bag, labels, config.labels)
    began = time.perf_counter()
    run = run_bag(detector, bag, config)
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
