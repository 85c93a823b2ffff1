"""Coverage-guided fuzzing of what reads crafted input: python tools/fuzz.py --seconds 180 config.

atheris changes good inputs byte by byte towards code that no input has reached yet. A reader fails
if anything but one of our errors, in one line, comes out, if it warns, if one input takes 10 s, or
if memory passes 400 MB. What fails is kept in build/fuzz/; `--again FILE` runs it once more. The
corpus stays there as well, so that the next run begins where this one ended.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / 'build' / 'fuzz'
INSTRUMENTED = ['taolora_ros', 'yaml', 'json', 'rosbags']
LIMITS = ('-timeout=10', '-rss_limit_mb=400', '-max_len=32768', '-print_final_stats=1')
TYPES = (
    'sensor_msgs/msg/Imu',
    'sensor_msgs/msg/JointState',
    'sensor_msgs/msg/LaserScan',
    'sensor_msgs/msg/MultiEchoLaserScan',
    'sensor_msgs/msg/MultiDOFJointState',
    'sensor_msgs/msg/PointCloud2',
    'tf2_msgs/msg/TFMessage',
    'trajectory_msgs/msg/JointTrajectory',
    'nav_msgs/msg/Odometry',
    'diagnostic_msgs/msg/DiagnosticArray',
)

Once = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """A reader under test."""

    build: Callable[[Path], Once]  # what runs it on one input, which may use a folder
    seeds: Callable[[Path], list[bytes]]  # good inputs
    words: tuple[str, ...]  # that mutations may put in


def run_artifact(folder: Path) -> Once:
    """Whole files, or header and tensors, which then get the right length before them.

    The checksum, which no mutation would meet, is taken out.
    """
    from taolora_ros import artifact

    artifact._checksum = lambda text, tensors: ''
    load = _of_file(artifact.load, folder / 'input.safetensors')

    def once(data: bytes) -> None:
        if data.startswith(b'{'):
            header, _, body = data.partition(b'\0')
            data = len(header).to_bytes(8, 'little') + header + body
        load(data)

    return once


def artifacts(folder: Path) -> list[bytes]:
    """Two small detectors: a linear one, and one with the nonlinear correction."""
    import numpy as np

    from taolora_ros import artifact
    from taolora_ros.config import Config, overlay
    from taolora_ros.samples import Recording
    from taolora_ros.training.trainer import train

    artifact._checksum = lambda text, tensors: ''
    generator = np.random.default_rng(1)
    rows = np.cumsum(generator.normal(size=(4000, 2)), axis=0) * 0.1
    rows += generator.normal(size=rows.shape)
    stamps = np.arange(len(rows), dtype=np.int64) * 10_000_000
    recordings = [Recording(name, stamps, rows, np.zeros_like(rows)) for name in 'ab']
    seeds = []
    for blocks in (0, 1):
        small = {
            'channels': ['/a:x', '/a:y'],
            'model': {'order': 2, 'blocks': blocks, 'width': 32, 'expansion': 1},
            'window': {'length': 64},
            'quantization': {'rank': 1},
            'training': {'epochs': 0},
        }
        config = overlay(Config(), small)
        model = train(recordings, config.channels, config, progress=lambda stage, share: None)
        path = folder / 'seed.safetensors'
        artifact.save(model, path)
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], 'little')
        seeds += [content, content[8:start] + b'\0' + content[start:]]
    return seeds


def run_config(folder: Path) -> Once:
    """Whole YAML files."""
    from taolora_ros.config import read_config

    return _of_file(read_config, folder / 'input.yaml')


def run_fields(folder: Path) -> Once:
    """Messages as CDR, the first byte choosing the type."""
    from taolora_ros.ingest.channels import parse_channel
    from taolora_ros.ingest.fields import FieldReader
    from taolora_ros.ingest.schema import numeric_fields
    from taolora_ros.ingest.types import TypeRegistry

    registry = TypeRegistry(prefixes=())
    readers = []
    for type_name in TYPES:
        paths = numeric_fields(type_name, registry)
        specs = [f'/t:{path}|sum' if '[*]' in path else f'/t:{path}' for path in paths]
        specs += ['/t:effort[a]'] if type_name.endswith('/JointState') else []
        specs = ['/t:z|mean'] if type_name.endswith('/PointCloud2') else specs
        channels = [parse_channel(spec) for spec in specs]
        readers.append(FieldReader(type_name, channels, registry))

    def once(data: bytes) -> None:
        if data:
            _expect_ours(lambda: readers[data[0] % len(readers)].read(data[1:]))

    return once


def messages(folder: Path) -> list[bytes]:
    """A message of each type with nothing in its arrays, and one with two of everything."""
    from taolora_ros.ingest.types import Nodetype, TypeRegistry

    registry = TypeRegistry(prefixes=())

    def filled(desc: Any) -> Any:
        if desc[0] == Nodetype.NAME:
            return {name: filled(inner) for name, inner in registry.fields(desc[1])}
        if desc[0] == Nodetype.BASE:
            return 'a' if desc[1][0] == 'string' else 1
        inner, count = desc[1]
        return [filled(inner) for _ in range(count if desc[0] == Nodetype.ARRAY else 2)]

    point = {'name': 'z', 'datatype': 2, 'count': 1}
    cloud = {'height': 2, 'width': 3, 'row_step': 3, 'point_step': 1, 'data': range(6)}
    seeds = []
    for number, type_name in enumerate(TYPES):
        full = {name: filled(desc) for name, desc in registry.fields(type_name)}
        full |= {**cloud, 'fields': [point]} if type_name.endswith('/PointCloud2') else {}
        for values in ({}, full):
            message = registry.serialize(registry.make(type_name, values), type_name)
            seeds.append(bytes([number]) + bytes(message))
    return seeds


TARGETS = {
    'artifact': Target(
        run_artifact,
        artifacts,
        ('F64', 'F32', 'F16', 'BF16', 'I8', 'shape', 'data_offsets', 'NaN', '1e999', 'null', '[]'),
    ),
    'config': Target(
        run_config,
        lambda folder: [path.read_bytes() for path in sorted((ROOT / 'config').glob('*.yaml'))],
        ('&a ', '*a', '<<', '!!int ', '!!python/name:', '.inf', '1e999', '? ', '[', '{', '---'),
    ),
    'fields': Target(run_fields, messages, ('name', 'effort')),
}


def _of_file(read: Callable[[Path], Any], path: Path) -> Once:
    def once(data: bytes) -> None:
        path.write_bytes(data)
        _expect_ours(lambda: read(path))

    return once


def _expect_ours(read: Callable[[], Any]) -> None:
    from taolora_ros.errors import TaoloraError

    try:
        read()
    except TaoloraError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError('an error of several lines') from error


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz one reader in this process, which atheris ends."""
    import atheris

    folder = FOLDER / name
    with atheris.instrument_imports(include=INSTRUMENTED):
        once = TARGETS[name].build(folder)
    warnings.simplefilter('error')
    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def supervise(name: str, options: argparse.Namespace) -> bool:
    """Fuzz one reader in a process of its own; whether it held."""
    folder, target = FOLDER / name, TARGETS[name]
    (folder / 'corpus').mkdir(parents=True, exist_ok=True)
    words = folder / 'words.dict'
    words.write_text(''.join(f'"{word}"\n' for word in target.words), encoding='utf-8')
    for number, seed in enumerate(target.seeds(folder)):
        (folder / 'corpus' / f'seed_{number}').write_bytes(seed)
    if options.again:
        inputs = [str(options.again.resolve())]
    else:
        inputs = [f'-max_total_time={options.seconds}', f'-dict={words}', str(folder / 'corpus')]
    command = [sys.executable, __file__, '--in-process', name]
    command += [*LIMITS, f'-artifact_prefix={folder}/', *inputs]
    with (folder / 'log').open('w') as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    text = (folder / 'log').read_text(errors='replace')
    facts = {
        key: value.strip()
        for line in text.splitlines()
        if line.startswith('stat::')
        for key, _, value in [line.removeprefix('stat::').partition(':')]
    }
    runs, peak = facts.get('number_of_executed_units', '?'), facts.get('peak_rss_mb', '?')
    held = done.returncode == 0
    outcome = 'ok' if held else f'FAILED; see {folder.relative_to(ROOT)}/log'
    print(f'{name:<10} {runs:>9} inputs, peak {peak} MB  {outcome}', flush=True)
    return held


def main() -> None:
    """Fuzz the readers one after the other; fail if one does."""
    if sys.argv[1:2] == ['--in-process']:
        fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    parser.add_argument('readers', nargs='*', help=', '.join(TARGETS), default=[*TARGETS])
    parser.add_argument('--seconds', type=int, default=180, help='how long for each reader')
    parser.add_argument(
        '--again', type=Path, help='run one input, e.g. one that failed; name its reader'
    )
    options = parser.parse_args()
    if unknown := {*options.readers} - {*TARGETS}:
        parser.error(f'no reader {min(unknown)!r}; known: {", ".join(TARGETS)}')
    if importlib.util.find_spec('atheris') is None:
        parser.error('atheris is missing; pip install -r tools/requirements/fuzz.txt')
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    held = [supervise(name, options) for name in options.readers]
    sys.exit(not all(held))


if __name__ == '__main__':
    main()
