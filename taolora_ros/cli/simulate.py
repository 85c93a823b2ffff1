"""`taolora simulate`: record a simulated robot arm at work, with faults or without."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from taolora_ros.errors import ConfigError, nearest
from taolora_ros.samples import NS_PER_S
from taolora_ros.simulation.faults import START_NS, Fault, FaultKind
from taolora_ros.simulation.recording import SimulationConfig
from taolora_ros.simulation.schedule import read_faults
from taolora_ros.simulation.simulate import simulate


@click.command(name='simulate')
@click.argument('out_dir', type=click.Path(path_type=Path))
@click.option(
    '--duration', type=float, default=120.0, show_default=True, help='Simulated time, in s.'
)
@click.option(
    '--faults',
    default='all',
    show_default=True,
    help='all, none, kinds separated by commas, or a YAML file that lists faults.',
)
@click.option('--count', type=int, help='How many faults; as many as fit comfortably by default.')
@click.option('--seed', type=int, default=0, show_default=True, help='One seed, one recording.')
@click.option(
    '--strength',
    type=(float, float),
    default=(0.3, 1.0),
    show_default=True,
    metavar='LOW HIGH',
    help='Weakest and strongest fault, 0 to 1.',
)
@click.option(
    '--spacing',
    type=float,
    default=6.0,
    show_default=True,
    help='Shortest normal time between two faults, in s.',
)
@click.option(
    '--lead',
    type=float,
    default=10.0,
    show_default=True,
    help='Normal time before the first fault, in s.',
)
@click.option('--force', is_flag=True, help='Replace a recording that is there already.')
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Write the faults here.'
)
def command(
    out_dir: Path,
    duration: float,
    faults: str,
    count: int | None,
    seed: int,
    strength: tuple[float, float],
    spacing: float,
    lead: float,
    force: bool,
    json_path: Path | None,
) -> None:
    r"""Record a simulated 6-joint arm at work into OUT_DIR, a rosbag2 folder (mcap).

    \b
    It picks, carries and places a payload and publishes
      /joint_states          position, velocity and effort, 100 Hz
      /imu/data              at the tool, 200 Hz
      /wrench                at the wrist, 100 Hz
      /motor/temperature     of the shoulder, 1 Hz
      /ground_truth/anomaly  whether a fault acts, 100 Hz
      /ground_truth/faults   each fault at its onset and at its end, as JSON
    """
    chosen: dict[str, Any] = {}
    if faults.endswith(('.yaml', '.yml')):
        chosen['planned'] = read_faults(Path(faults))
    if faults == 'none' or chosen:
        chosen['kinds'] = ()
    elif faults != 'all':
        chosen['kinds'] = _kinds(faults)
    config = SimulationConfig(
        duration_s=duration,
        count=count,
        seed=seed,
        strength=strength,
        spacing_s=spacing,
        lead_s=lead,
        **chosen,
    )
    console = Console(stderr=True)
    with Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.percentage:>3.0f} %'),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(f'simulating {duration:g} s', total=1.0)
        happened = simulate(
            out_dir,
            config,
            progress=lambda share: bar.update(task, completed=share),
            force=force,
        )
    if happened:
        Console().print(_table(out_dir, duration, happened))
    else:
        click.echo(f'{out_dir}: {duration:g} s of normal work')
    if json_path is not None:
        reports = [json.loads(fault.report('end')) for fault in happened]
        json_path.write_text(json.dumps(reports, indent=2) + '\n', encoding='utf-8')


def _kinds(text: str) -> tuple[FaultKind, ...]:
    known = {kind.value: kind for kind in FaultKind}
    names = [name.strip() for name in text.split(',') if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(
                f'--faults: no kind {name!r}; {nearest(name, known)} All: {", ".join(known)}'
            )
    return tuple(dict.fromkeys(known[name] for name in names))


def _table(out_dir: Path, duration_s: float, faults: Sequence[Fault]) -> Table:
    table = Table(title=f'{out_dir}: {duration_s:g} s, {len(faults)} faults', title_justify='left')
    for heading in ('id', 'fault', 'strikes'):
        table.add_column(heading, overflow='fold')
    for heading in ('onset s', 'lasts s', 'strength'):
        table.add_column(heading, justify='right')
    for fault in faults:
        table.add_row(
            str(fault.id),
            fault.kind.value,
            fault.target.replace('[', r'\['),
            f'{(fault.onset_ns - START_NS) / NS_PER_S:.2f}',
            f'{(fault.end_ns - fault.onset_ns) / NS_PER_S:.2f}',
            f'{fault.strength:.2f}',
        )
    return table
