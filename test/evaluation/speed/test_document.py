from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taolora_ros.detection.watch import WatchModel
from taolora_ros.engine import DetectorModel
from taolora_ros.errors import InputError
from taolora_ros.evaluation.speed.document import markdown, read_records


@pytest.fixture
def watch(model: DetectorModel) -> WatchModel:
    return model.watch


def engine(**changes: Any) -> dict[str, Any]:
    target = {
        'figure': 'ours_us',
        'words': 'hop, p50, in µs',
        'measured': 71.25,
        'at_most': 60.0,
        'at_least': None,
        'is_met': False,
        'bound': 'at most 60',
    }
    return {
        'bench': 'engine',
        'command': 'taolora bench engine',
        'date': '2026-01-02T03:04:05+00:00',
        'versions': {'numpy': '2.2.6', 'gemlite': None},
        'hardware': {'processor': 'Test CPU', 'cores': '2'},
        'settings': {'rounds': 3},
        'absence': '',
        'results': {'ours_us': 71.25, 'by_streams': [{'streams': 1, 'us': 3.5}]},
        'targets': [target],
        **changes,
    }


def test_missed_targets_stand_out(watch: WatchModel) -> None:
    page = markdown({'engine': engine()}, watch, resources='| kernel |')
    assert '| engine | hop, p50, in µs | at most 60 | 71.25 | **missed** |' in page
    assert '| jitter |  |  |  | not run |' in page


def test_figures_come_with_command_date_hardware_and_versions(watch: WatchModel) -> None:
    page = markdown({'engine': engine()}, watch, resources='| kernel |')
    assert '`taolora bench engine`, 2026-01-02T03:04:05+00:00.' in page
    assert 'processor: Test CPU; cores: 2.' in page
    assert 'numpy 2.2.6.' in page
    assert 'gemlite' not in page.partition('## kernels')[0]
    assert '| ours_us | 71.25 |' in page
    assert '| by_streams: streams | us |\n| --- | ---: |\n| 1 | 3.5 |' in page


def test_what_needs_a_gpu_says_why_it_is_missing(watch: WatchModel) -> None:
    empty = engine(bench='kernels', results=None, targets=[], absence='no NVIDIA driver')
    page = markdown({'kernels': empty}, watch, resources='| kernel |')
    assert 'Not measured: no NVIDIA driver.' in page
    assert '| kernels |  |  |  | no NVIDIA driver |' in page


def test_the_roofline_is_marked_as_an_estimate(watch: WatchModel) -> None:
    page = markdown({'engine': engine()}, watch, resources='| kernel |')
    assert '## Roofline of a Jetson Orin Nano: an estimate, nothing of it is measured' in page
    assert 't = launches · t₀ + max(bytes / β, operations / θ)' in page
    assert page.count('| Jetson Orin Nano 8GB, 15 W |') == 6


def test_the_kernels_resources_are_marked_as_compiled(watch: WatchModel) -> None:
    page = markdown({'engine': engine()}, watch, resources='| kernel |')
    head, _, table = page.partition('compiled, not run')
    assert head.endswith('## Resources of the GPU kernels on 8 SMs of capability 8.7 (Orin): ')
    assert table.endswith('\n\n| kernel |\n')


def test_records_are_read_by_their_bench(tmp_path: Path) -> None:
    (tmp_path / 'any.json').write_text(json.dumps(engine()))
    assert read_records(tmp_path) == {'engine': engine()}


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('{', 'no JSON: '),
        ('[]', 'no mapping'),
        ('{"figures": 1}', "'bench' is missing"),
        (json.dumps({**engine(), 'results': [1]}), r"'results' is \[1\]"),
        (json.dumps({**engine(), 'targets': None}), "'targets' is None"),
        (json.dumps(engine(targets=[{'words': 'hop'}])), "'targets' 0 lacks bound, is_met, meas"),
        (json.dumps(engine(targets=[7])), "'targets' 0 lacks all"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / 'engine.json').write_text(text)
    said = r'engine\.json: not written by a bench of speed \(' + why
    with pytest.raises(InputError, match=said) as refused:
        read_records(tmp_path)
    assert '\n' not in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='no JSON files'):
        read_records(tmp_path)
