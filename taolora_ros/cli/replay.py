"""`taolora replay`: play a bag through a detector and print each event as it happens."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from taolora_ros import artifact
from taolora_ros.bags import bag_types, read_messages, resolve_channels
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import InputError
from taolora_ros.pipeline import Pipeline
from taolora_ros.samples import NS_PER_S, Event, EventState, Hop

NODE = 'taolora_ros.nodes.replay'


@click.command(name='replay')
@click.argument('model', type=click.Path(path_type=Path))
@click.argument('bag', type=click.Path(path_type=Path))
@click.option('--dry-run', is_flag=True, help='Detect in this process and print, without ROS.')
@click.option(
    '--rate',
    type=click.FloatRange(min=0.0),
    default=None,
    help='Speed over the recorded one; 0 is as fast as possible (dry run). '
    'Default: 0 in a dry run, 1 on a live graph.',
)
def command(model: Path, bag: Path, dry_run: bool, rate: float | None) -> None:
    """Play BAG through the detector MODEL and print each event as it happens.

    Without --dry-run, the bag is published on the ROS 2 graph by the replay node, for a detector
    node that runs there (`ros2 run taolora_ros detector`).
    """
    detector = artifact.load(model)
    if dry_run:
        events = play(detector, bag, rate=rate or 0.0)
        click.echo(f'{events} event{"" if events == 1 else "s"}')
        return
    if importlib.util.find_spec('rclpy') is None:
        raise InputError(
            'replay needs ROS 2 and rclpy is not importable; source ROS 2 '
            '(or tools/env.bash), or add --dry-run'
        )
    if rate == 0.0:
        raise InputError(
            '--rate 0: as fast as possible needs --dry-run; a live graph needs a speed'
        )
    speed = 1.0 if rate is None else rate
    arguments = ['--ros-args', '-p', f'bag:={bag.resolve()}', '-p', f'rate:={speed}']
    sys.exit(subprocess.run([sys.executable, '-m', NODE, *arguments], check=False).returncode)


def play(detector: DetectorModel, bag: Path, *, rate: float) -> int:
    """Stream a bag, print onsets and ends; returns the number of events.

    Args:
        detector: the trained model.
        bag: the recording.
        rate: speed over the recorded one; 0 is as fast as possible.

    Raises:
        BagError: the bag can't be read.
        ChannelError: it lacks a channel of the model.
    """
    resolve_channels(bag, detector.channels)
    pipeline = Pipeline(detector, bag_types(bag))
    seen: set[int] = set()
    zero_ns: int | None = None
    first_receive_ns: int | None = None
    began = time.monotonic()

    def tell(hops: Sequence[Hop]) -> None:
        nonlocal zero_ns
        for hop in hops:
            zero_ns = hop.first_ns if zero_ns is None else zero_ns
            if hop.event and (hop.event.id not in seen or hop.event.state is EventState.END):
                seen.add(hop.event.id)
                click.echo(line(hop.event, detector.channels, zero_ns))

    for message in read_messages(bag, pipeline.intake.topics):
        if first_receive_ns is None:
            first_receive_ns = message.receive_ns
        if rate:
            due = began + (message.receive_ns - first_receive_ns) / NS_PER_S / rate
            time.sleep(max(0.0, due - time.monotonic()))
        tell(pipeline.push(message))
    tell(pipeline.finish())
    return len(seen)


def line(event: Event, channels: Sequence[str], zero_ns: int) -> str:
    """One event in one line; times in s since the first row."""
    onset_s = (event.onset_ns - zero_ns) / NS_PER_S
    top = int(event.contributions.argmax())
    told = f'{channels[top]} {100 * event.contributions[top]:.0f} %'
    head = f'{onset_s:10.3f} s  {event.severity.name.lower():8}'
    if event.state is EventState.END:
        lasted_s = (event.end_ns - event.onset_ns) / NS_PER_S
        return f'{head}  end    after {lasted_s:.3f} s, peak {event.peak_score:.1f}, {told}'
    return f'{head}  onset  score {event.score:.1f} over {event.threshold:.1f}, {told}'
