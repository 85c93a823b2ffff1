"""`taolora train`: learn from bags of normal operation what normal looks like."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from taolora_ros import artifact
from taolora_ros.bags import read_recording, resolve_channels
from taolora_ros.config import Config, read_config
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import ConfigError
from taolora_ros.evaluation.events import cover
from taolora_ros.evaluation.truth import read_truths
from taolora_ros.samples import NS_PER_S, Recording
from taolora_ros.training.trainer import train


@click.command(name='train')
@click.argument('bags', type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    '--config',
    'config_path',
    type=click.Path(path_type=Path),
    required=True,
    help='YAML with the channels to watch; see config/ for examples.',
)
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path),
    default=Path('model.safetensors'),
    show_default=True,
    help='Where the trained model goes.',
)
def command(bags: tuple[Path, ...], config_path: Path, output: Path) -> None:
    """Learn from BAGS of normal operation what normal looks like.

    Several short bags teach more than one long one: the threshold then allows for what differs
    from session to session.
    """
    config = read_config(config_path)
    if not config.channels:
        raise ConfigError(
            f'{config_path}: channels: none named; list what `taolora inspect {bags[0]}` shows'
        )
    if not output.parent.is_dir():
        raise ConfigError(f'{output.parent}: no such folder for {output.name}; make it first')
    began = time.perf_counter()
    channels = resolve_channels(bags[0], config.channels)
    warnings: list[str] = []
    with Progress(
        TextColumn('{task.description:<28}'),
        BarColumn(),
        TextColumn('{task.percentage:>3.0f} %'),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        recordings = []
        reading = progress.add_task('reading bags', total=len(bags))
        for bag in bags:
            recording = read_recording(bag, channels, config.ingest)
            recordings.append(recording)
            if share := _labeled_share(bag, recording, config):
                warnings.append(
                    f'{bag.name}: {100 * share:.1f} % of its rows are labeled anomalous; '
                    'train on normal recordings only'
                )
            progress.advance(reading)
        stages: dict[str, TaskID] = {}

        def advance(stage: str, share: float) -> None:
            if stage not in stages:
                for earlier in stages.values():  # one that stopped early is done too
                    progress.update(earlier, completed=1.0)
                stages[stage] = progress.add_task(stage, total=1.0)
            progress.update(stages[stage], completed=share)

        model = train(recordings, channels, config, progress=advance)
    artifact.save(model, output)
    console = Console()
    console.print(summary(model, recordings, output, time.perf_counter() - began))
    if not _is_supported(model):
        warnings.append(_support(model))
    for warning in warnings:
        Console(stderr=True).print(
            f'warning: {warning}', style='yellow', highlight=False, markup=False
        )


def _labeled_share(bag: Path, recording: Recording, config: Config) -> float:
    """Share of a recording's rows that its own ground truth calls anomalous; 0 without one."""
    truths = read_truths(bag, '', config.labels) or ()
    spans = [(truth.onset_ns, truth.end_ns) for truth in truths]
    period_ns = round(config.period_s * NS_PER_S)
    rows = cover(recording.stamps_ns, spans, period_ns=period_ns)
    return float(rows.mean()) if len(rows) else 0.0


def _support(model: DetectorModel) -> str:
    asked = model.config.detection.false_alarms_per_hour
    return (
        f'{model.alarms.hours * 60:.1f} minutes of normal data do not support '
        f'{asked:g} false alarms an hour; the threshold is extrapolated, '
        'record more normal operation'
    )


def summary(
    model: DetectorModel, recordings: Sequence[Recording], output: Path, elapsed_s: float
) -> Table:
    """What was learned, as a table."""
    config = model.config
    rows = sum(len(recording.stamps_ns) for recording in recordings)
    constant = [
        name
        for name, is_active in zip(model.channels, model.watch.prior.active, strict=True)
        if not is_active
    ]
    table = Table(show_header=False, title=escape(str(output)))
    table.add_column(no_wrap=True)
    table.add_column(overflow='fold')
    table.add_row('recordings', str(len(recordings)))
    table.add_row('rows', f'{rows:,} at {config.ingest.sample_rate_hz:g} Hz')
    table.add_row('channels', str(len(model.channels)))
    table.add_row('constant, not watched', escape(', '.join(constant)) or 'none')
    threshold = model.alarms.threshold(config.detection.false_alarms_per_hour)
    table.add_row(
        'threshold',
        f'a score of {threshold:.2f} for {config.detection.false_alarms_per_hour:g} '
        'false alarms an hour',
    )
    table.add_row(
        'normal data behind it',
        f'{model.alarms.hours * 60:.1f} min, '
        + ('enough' if _is_supported(model) else 'too short: the threshold is extrapolated'),
    )
    table.add_row('nonlinear correction', _correction(model))
    packed, numbers = model.watch.packed_bytes, model.watch.numbers
    table.add_row(
        'network and relation',
        f'{numbers:,} weights in {packed / 1024:.1f} KiB; FP16 {2 * numbers / 1024:.1f} KiB, '
        f'FP32 {4 * numbers / 1024:.1f} KiB ({4 * numbers / packed:.1f} times as much)',
    )
    table.add_row('trained in', f'{elapsed_s:.1f} s')
    return table


def _correction(model: DetectorModel) -> str:
    if model.watch.network.correction is not None:
        return 'kept'
    is_off = model.config.model.blocks == 0 or model.config.training.epochs == 0
    return 'not asked for (model.blocks, training.epochs)' if is_off else 'left out: no gain'


def _is_supported(model: DetectorModel) -> bool:
    return model.alarms.supports(model.config.detection.false_alarms_per_hour)
