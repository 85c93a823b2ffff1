"""Small bags of the rotor, normal and struck, and a detector trained on them by the command."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from taolora_ros.bags import BagWriter, time_of
from taolora_ros.cli.main import run
from taolora_ros.samples import NS_PER_S, Recording

START_NS = 1_700_000_000 * NS_PER_S
STRUCK_S = (20.0, 20.5)

ROTOR_YAML = """\
channels:
  - /rotor:vector.x
  - /rotor:vector.y
  - /rotor:vector.z
  - /still:temperature
ingest: {sample_rate_hz: 100.0}
window: {patch: 4, length: 128}
model: {order: 8, blocks: 0}
quantization: {rank: 4}
detection: {warmup_s: 2.0, false_alarms_per_hour: 60.0}
training: {epochs: 0}
"""


def write_bag(path: Path, recording: Recording, *, struck: bool, labeled: bool = True) -> Path:
    """A rotor recording as a bag at 100 Hz; a strike adds a force to the first two columns."""
    with BagWriter(path) as writer:
        for number, (x, y, load, still) in enumerate(recording.values):
            stamp_ns = START_NS + number * (NS_PER_S // 100)
            acts = struck and STRUCK_S[0] <= number / 100 < STRUCK_S[1]
            kick = 40.0 * (-1) ** number if acts else 0.0
            header = {'stamp': time_of(stamp_ns), 'frame_id': 'rotor'}
            vector = {'x': x + kick, 'y': y - kick, 'z': load}
            writer.write(
                '/rotor',
                'geometry_msgs/msg/Vector3Stamped',
                {'header': header, 'vector': vector},
                stamp_ns,
            )
            if number % 50 == 0:
                values = {'header': header, 'temperature': still}
                writer.write('/still', 'sensor_msgs/msg/Temperature', values, stamp_ns)
            if labeled:
                writer.write(
                    '/ground_truth/anomaly', 'std_msgs/msg/Bool', {'data': acts}, stamp_ns
                )
    return path


@pytest.fixture(scope='session')
def cli_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('cli')


@pytest.fixture(scope='session')
def rotor_yaml(cli_folder: Path) -> Path:
    path = cli_folder / 'rotor.yaml'
    path.write_text(ROTOR_YAML)
    return path


@pytest.fixture(scope='session')
def normal_bags(cli_folder: Path, make_rotor: Callable[[float, int], Recording]) -> list[Path]:
    return [
        write_bag(cli_folder / f'normal_{seed}', make_rotor(25.0, seed), struck=False)
        for seed in range(2)
    ]


@pytest.fixture(scope='session')
def struck_bag(cli_folder: Path, make_rotor: Callable[[float, int], Recording]) -> Path:
    return write_bag(cli_folder / 'struck', make_rotor(30.0, 9), struck=True)


@pytest.fixture(scope='session')
def unlabeled_bag(cli_folder: Path, make_rotor: Callable[[float, int], Recording]) -> Path:
    return write_bag(cli_folder / 'bare', make_rotor(30.0, 9), struck=True, labeled=False)


@pytest.fixture(scope='session')
def short_bag(cli_folder: Path, make_rotor: Callable[[float, int], Recording]) -> Path:
    return write_bag(cli_folder / 'short', make_rotor(1.0, 9), struck=False)


@dataclass(frozen=True)
class Trained:
    """An artifact and what the command said while it made it."""

    artifact: Path
    out: str
    err: str


def train(bags: list[Path], config: Path, output: Path) -> Trained:
    """Run `taolora train`, its words put on one line each."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(['train', *map(str, bags), '--config', str(config), '-o', str(output)])
    assert status == 0, err.getvalue()
    return Trained(output, *(' '.join(said.getvalue().split()) for said in (out, err)))


@pytest.fixture(scope='session')
def trained(cli_folder: Path, rotor_yaml: Path, normal_bags: list[Path]) -> Trained:
    return train(normal_bags, rotor_yaml, cli_folder / 'rotor.safetensors')


@pytest.fixture(scope='session')
def trained_oddly(
    cli_folder: Path, rotor_yaml: Path, normal_bags: list[Path], struck_bag: Path
) -> Trained:
    """From one bag with faults among the normal ones, for fewer alarms than the data support."""
    config = cli_folder / 'rare.yaml'
    config.write_text(rotor_yaml.read_text().replace('per_hour: 60.0', 'per_hour: 0.1'))
    return train([*normal_bags, struck_bag], config, cli_folder / 'odd.safetensors')


@pytest.fixture(scope='session')
def trained_again(cli_folder: Path, rotor_yaml: Path, normal_bags: list[Path]) -> Trained:
    return train(normal_bags, rotor_yaml, cli_folder / 'again.safetensors')


@pytest.fixture(scope='session')
def rotor_artifact(trained: Trained) -> Path:
    return trained.artifact
