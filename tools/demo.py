"""`make demo`: an arm learns what normal is, then its faults are found live over ROS 2.

Simulates normal work and faults into bags, trains on the normal ones, plays the faults on a live
ROS 2 graph to the detector node, and judges what came out. Exit status 0 only if at least nine
faults in ten were found.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from demo_graph import Listener, Processes, Report, private_domain
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from taolora_ros import artifact
from taolora_ros.bags import read_messages, read_recording
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import TaoloraError
from taolora_ros.evaluation.events import Detection, Match, Truth, match_events
from taolora_ros.evaluation.offline import run_bag
from taolora_ros.evaluation.phrases import count, percent, ratio, seconds
from taolora_ros.evaluation.report import ReportRun, write_report
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.truth import read_truths
from taolora_ros.samples import NS_PER_S

ROOT = Path(__file__).resolve().parent.parent
NEEDED = 0.9  # share of the faults that must be found
TOLERANCE_S = 1.0
START_S = 60.0  # patience for the nodes to find each other on a busy machine
LEAVE_S = 20.0

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; returns the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    began = time.monotonic()
    try:
        status = _run(options)
    except TaoloraError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('error: interrupted', file=sys.stderr)
        return 130
    console.print(f'took {time.monotonic() - began:.0f} s')
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog='make demo')
    parser.add_argument('--folder', type=Path, default=ROOT / 'build' / 'demo')
    parser.add_argument('--sessions', type=int, default=3, help='normal recordings')
    parser.add_argument('--normal-s', type=float, default=100.0, help='length of each, in s')
    parser.add_argument('--faults-s', type=float, default=180.0, help='length of the fault bag')
    parser.add_argument(
        '--strength', type=float, default=0.5, help='weakest fault, 0 to 1 (strongest)'
    )
    parser.add_argument('--rate', type=float, default=3.0, help='replay speed')
    parser.add_argument('--seed', type=int, default=7)
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    model_path, faults = folder / 'arm.safetensors', folder / 'faults'

    console.rule('[bold]1  A robot arm at work, simulated into rosbag2 bags', align='left')
    normal = [folder / f'normal_{number}' for number in range(options.sessions)]
    for number, bag in enumerate(normal):
        seed = options.seed + 1 + number
        _simulate(bag, options.normal_s, seed, '--faults', 'none')
    _simulate(faults, options.faults_s, options.seed, '--strength', options.strength, 1.0)

    console.rule('[bold]2  Learning what normal looks like', align='left')
    config = ROOT / 'config' / 'arm.yaml'
    _taolora('train', *normal, '--config', config, '-o', model_path)
    model = artifact.load(model_path)

    console.rule(
        f'[bold]3  The faults on a live ROS 2 graph, at {options.rate:g}x speed', align='left'
    )
    truths = read_truths(faults, '', '') or ()
    zero_ns = next(read_messages(faults)).receive_ns
    show = _shower(model.channels, truths, zero_ns)
    live = _watch(model_path, faults, model, show, folder=folder, rate=options.rate)

    console.rule('[bold]4  What was found', align='left')
    trace = run_bag(model, faults).trace  # for the pictures, and to compare
    result = judge(
        faults.name,
        dataclasses.replace(trace, detections=live),
        truths,
        tolerance_s=TOLERANCE_S,
        zero_ns=zero_ns,
    )
    _print_verdict(result, model)
    _print_agreement(live, trace.detections)
    report = folder / 'report.html'
    write_report(
        report,
        [ReportRun(result, read_recording(faults, model.channels, model.config.ingest))],
        channels=model.channels,
        detection=model.config.detection,
        title='taolora demo: faults of a robot arm, found live',
        facts={
            'model': str(model_path),
            'normal recordings': f'{options.sessions} of {options.normal_s:g} s',
            'strength of the faults': f'{options.strength:g} to 1',
            'replay': f'{options.rate:g} times real time, over DDS',
            'false alarms an hour asked for': f'{model.config.detection.false_alarms_per_hour:g}',
            'tolerance': f'{TOLERANCE_S:g} s',
        },
    )
    console.print(f'report with pictures: {report}')
    found, events = result.events_found or 0, len(truths)
    if found >= NEEDED * events:
        return 0
    print(f'error: {found} of {events} faults found; needed: {NEEDED:.0%}', file=sys.stderr)
    return 1


def _simulate(bag: Path, duration_s: float, seed: int, *more: object) -> None:
    _taolora('simulate', bag, '--duration', f'{duration_s:g}', '--seed', seed, '--force', *more)


def _taolora(verb: str, *arguments: object) -> None:
    """Run a verb of the command line as its users do; its bars and errors show as they are."""
    words = [str(argument) for argument in arguments]
    console.print(f'[dim]$ taolora {verb} {escape(" ".join(map(_relative, words)))}')
    command = [sys.executable, '-m', 'taolora_ros', verb, *words]
    if status := subprocess.run(command, check=False).returncode:
        raise TaoloraError(f'taolora {verb} ended with status {status}')


def _relative(word: str) -> str:
    return os.path.relpath(word) if word.startswith(os.sep) else word


def _watch(
    model_path: Path,
    bag: Path,
    model: DetectorModel,
    show: Callable[[Report], None],
    *,
    folder: Path,
    rate: float,
) -> tuple[Detection, ...]:
    """Start the nodes, listen until the bag has been played, and stop them."""
    period_ns = round(model.config.period_s * NS_PER_S)
    with (
        private_domain(folder),
        Processes(folder) as processes,
        Listener(model.channels, period_ns, show) as listener,
    ):
        detector = processes.start('detector', {'model': model_path, 'use_sim_time': True})
        listener.wait_for_publisher(detector, START_S)
        replay = processes.start('replay', {'bag': bag, 'rate': rate})
        listener.listen_until_exit(replay, while_runs=detector)
        replay.require_success()
        detector.interrupt()
        listener.listen_until_exit(detector, timeout_s=LEAVE_S)
        detector.require_success()
        return listener.detections


def _shower(
    channels: tuple[str, ...], truths: tuple[Truth, ...], zero_ns: int
) -> Callable[[Report], None]:
    """Prints each event once, as it arrives."""

    def show(report: Report) -> None:
        if report.is_onset:
            console.print(_line(report.detection, channels, truths, zero_ns))

    return show


def _line(
    detection: Detection, channels: tuple[str, ...], truths: tuple[Truth, ...], zero_ns: int
) -> str:
    """An event as it arrives, beside the fault that it belongs to."""
    raised_s = (detection.raised_ns - zero_ns) / NS_PER_S
    head = (
        f'{raised_s:8.2f} s  event {detection.id:<3} score {detection.peak_score:4.1f}  '
        f'{escape(channels[int(detection.contributions.argmax())].ljust(36))}'
    )
    found = match_events(truths, [detection], tolerance_s=TOLERANCE_S)
    hit = next((match for match in found.matches if match.is_found), None)
    if hit is None:
        return f'{head}  [yellow]no fault acts'
    onset_s = (hit.truth.onset_ns - zero_ns) / NS_PER_S
    late = '' if hit.delay_s is None else f', {seconds(hit.delay_s)} after its onset'
    return f'{head}  [green]{hit.truth.kind}[/] of {onset_s:.2f} s{late}'


def _print_verdict(result: RunResult, model: DetectorModel) -> None:
    assert result.matching is not None
    table = Table()
    for column in ('fault', 'onset', 'verdict', 'delay', 'seen most in'):
        justify = 'right' if column in ('onset', 'delay') else 'left'
        table.add_column(column, justify=justify, overflow='fold')
    for match in result.matching.matches:
        onset_s = (match.truth.onset_ns - result.zero_ns) / NS_PER_S
        table.add_row(
            match.truth.kind,
            f'{onset_s:.2f} s',
            '[green]found' if match.is_found else '[red]missed',
            seconds(match.delay_s),
            _seen_in(match, model.channels),
        )
    console.print(table)
    console.print(
        f'{count(result.events_found)} of {count(result.events)} faults found, '
        f'median delay {seconds(result.median_delay_s)}; '
        f'{count(result.false_alarms)} false alarms '
        f'({ratio(result.false_alarms_per_hour, digits=1)} an hour of normal work), '
        f'{percent(result.normal_in_alarm)} of normal time in alarm; '
        f'{percent(result.fp16_share)} of tokens on the FP16 path'
    )


def _seen_in(match: Match, channels: tuple[str, ...]) -> str:
    if match.detection is None:
        return ''
    return escape(channels[int(match.detection.contributions.argmax())])


def _print_agreement(live: tuple[Detection, ...], offline: tuple[Detection, ...]) -> None:
    """Whether the nodes reported what `taolora evaluate` would have."""
    ours, theirs = ({hit.onset_ns for hit in hits} for hits in (live, offline))
    if ours == theirs:
        console.print(f'live and offline agree: the same {len(live)} onsets')
    else:
        console.print(
            f'[yellow]live and offline differ: {len(ours - theirs)} onsets only live, '
            f'{len(theirs - ours)} only offline'
        )


if __name__ == '__main__':
    sys.exit(main())
