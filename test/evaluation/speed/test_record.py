from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from taolora_ros.evaluation.speed.record import record
from taolora_ros.evaluation.speed.tables import cell, print_record, tables_of
from taolora_ros.evaluation.speed.targets import Target
from taolora_ros.hardware.probe import Machine

MACHINE = Machine(
    architecture='x86_64',
    processor='Test CPU',
    cores=2,
    memory_mb=4096,
    jetson=None,
    gpus=(),
    gpu_absence='no NVIDIA driver',
)


class Found:
    """Findings with one figure and one table."""

    def to_mapping(self) -> dict[str, Any]:
        return {'hop_us': 41.5, 'rows': [{'part': 'codes', 'bytes': 12_000}]}

    def targets(self) -> tuple[Target, ...]:
        return (Target('hop_us', 'hop, in µs', 41.5, at_most=60.0),)


@pytest.fixture
def measured() -> dict[str, Any]:
    return record('engine', Found(), settings={'rounds': 3}, machine=MACHINE)


def test_a_record_says_how_it_came_about(measured: dict[str, Any]) -> None:
    assert measured['bench'] == 'engine'
    assert measured['command'].startswith('taolora')
    assert measured['date'].endswith('+00:00')
    assert {'taolora_ros', 'python', 'numpy', 'torch', 'onnxruntime'} <= set(measured['versions'])
    assert measured['hardware']['processor'] == 'Test CPU (x86_64)'
    assert measured['hardware']['GPU'] == 'none: no NVIDIA driver'
    assert measured['settings'] == {'rounds': 3}
    assert measured['results'] == Found().to_mapping()
    assert measured['targets'][0]['is_met'] is True


def test_without_findings_there_are_hardware_and_a_reason() -> None:
    empty = record('kernels', None, settings={}, machine=MACHINE, absence='no GPU')
    assert empty['results'] is None
    assert empty['targets'] == []
    assert empty['absence'] == 'no GPU'
    assert empty['hardware']['cores'] == '2'


def test_figures_tables_and_targets_stand_in_tables(measured: dict[str, Any]) -> None:
    assert list(tables_of(measured)) == [
        [['figure', 'measured'], ['hop_us', '41.5']],
        [['rows: part', 'bytes'], ['codes', '12,000']],
        [['target', 'bound', 'measured', ''], ['hop, in µs', 'at most 60', '41.5', 'met']],
    ]


def test_what_was_not_measured_is_one_line() -> None:
    empty = record('kernels', None, settings={}, machine=MACHINE, absence='no GPU [here]')
    out = io.StringIO()
    print_record(Console(file=out, width=40), empty)
    assert out.getvalue() == 'no GPU [here]\n'


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        (None, '–'),
        (True, 'yes'),
        (1234567, '1,234,567'),
        (0.123456, '0.1235'),
        (123456.7, '123,457'),
        ('both', 'both'),
    ],
)
def test_a_cell_is_short(value: object, said: str) -> None:
    assert cell(value) == said
