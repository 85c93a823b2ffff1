"""The benches of speed on a small network: what they say and write, not how fast anything is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taolora_ros.cli import (
    bench_document,
    bench_engine,
    bench_jitter,
    bench_kernels,
    bench_memory,
    bench_offline,
    bench_stream_step,
    bench_streams,
)
from taolora_ros.cli.main import run
from taolora_ros.config import (
    Config,
    ModelConfig,
    QuantizationConfig,
    TrainingConfig,
    WindowConfig,
)
from taolora_ros.errors import DeviceError
from taolora_ros.evaluation.speed.workload import Workload, make_workload
from taolora_ros.hardware.probe import Machine, probe

SMALL = Config(
    window=WindowConfig(patch=4, length=32),
    model=ModelConfig(order=3, width=32, blocks=2, kernel=2, expansion=1),
    quantization=QuantizationConfig(rank=2),
    training=TrainingConfig(epochs=0),
)
MODULES = (
    bench_document,
    bench_engine,
    bench_jitter,
    bench_memory,
    bench_offline,
    bench_stream_step,
    bench_streams,
)
TARGETS = {
    'engine': ('ours_us', 'ratio_onnxruntime_fp32', 'ratio_own_fp32'),
    'jitter': ('transient_p99_minus_steady_p50_us', 'transient_over_steady'),
    'memory': ('packed_over_fp16', 'packed_over_fp32', 'detector_rss_mb'),
    'streams': ('last_over_first', 'largest_rise'),
    'offline': ('ratio_torch_fp32',),
}
SIZES = {
    'engine': ('--rounds', '2', '--calls', '2'),
    'jitter': ('--hops', '5000', '--runs', '2'),
    'memory': ('--seconds', '1'),
    'streams': ('--rounds', '1'),
    'offline': ('--tokens', '64', '--rounds', '1'),
}

Measure = Callable[[str], dict[str, Any]]


@pytest.fixture(scope='module')
def workload() -> Workload:
    return make_workload(300, config=SMALL, inputs=5, transient_share=0.3)


@pytest.fixture(autouse=True)
def small(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bench runs the small network on a machine without a GPU."""
    machine = dataclasses.replace(probe(), gpus=(), gpu_absence='no NVIDIA driver')

    def probed() -> Machine:
        return machine

    for module in MODULES:
        monkeypatch.setattr(module, 'make_workload', lambda tokens, **shape: workload)
    for module in (bench_kernels, bench_stream_step, bench_streams):
        monkeypatch.setattr(module, 'probe', probed)
    monkeypatch.setattr(bench_document, 'resources', lambda: '| kernel |')
    monkeypatch.setattr(bench_memory, 'watched', lambda model, path, seconds: None)


@pytest.fixture
def measure(tmp_path: Path) -> Measure:
    """Runs a bench and reads what it wrote."""

    def measured(bench: str) -> dict[str, Any]:
        path = tmp_path / f'{bench}.json'
        assert run(['bench', bench, *SIZES.get(bench, ()), '--json', str(path)]) == 0
        record: dict[str, Any] = json.loads(path.read_text())
        return record

    return measured


@pytest.mark.parametrize('bench', TARGETS)
def test_a_bench_writes_figures_and_how_they_came_about(bench: str, measure: Measure) -> None:
    record = measure(bench)
    assert record['bench'] == bench
    assert set(TARGETS[bench]) <= set(record['results'])
    assert set(TARGETS[bench]) <= {target['figure'] for target in record['targets']}
    assert {'processor', 'cores', 'memory', 'GPU', 'load'} <= set(record['hardware'])
    assert {'taolora_ros', 'python', 'numpy', 'numba'} <= set(record['versions'])
    assert record['command'].startswith('taolora')
    assert record['date'].startswith('20')
    assert record['settings']['channels'] == 5


@pytest.mark.parametrize('bench', TARGETS)
def test_a_bench_says_whether_its_targets_are_met(
    bench: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['bench', bench, *SIZES[bench]]) == 0
    out = capsys.readouterr().out
    assert 'measured' in out
    assert 'met' in out or 'missed' in out


def test_json_on_stdout_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(['bench', 'jitter', *SIZES['jitter'], '--json', '-']) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    results = record['results']
    assert results['steady_hops'] + results['transient_hops'] == results['hops'] == 5000
    assert 'steady_p50_us' in captured.err


def test_all_numbers_of_streams_are_measured(measure: Measure) -> None:
    rows = measure('streams')['results']['by_streams']
    assert [row['streams'] for row in rows] == [1, 2, 4, 8, 16, 32, 64, 128, 256]


def test_a_gpu_without_its_packages_leaves_the_results_of_the_cpu(
    measure: Measure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = 'the torch installed is built for the CPU alone'
    for module in (bench_kernels, bench_stream_step, bench_streams):
        monkeypatch.setattr(module, 'cuda_absence', lambda machine: why)
    results = measure('streams')['results']
    assert 'by_streams' in results
    assert 'gpu_by_streams' not in results
    assert f'no GPU was measured: {why}\n' in capsys.readouterr().err
    for bench in ('kernels', 'stream-step'):
        record = measure(bench)
        assert record['results'] is None
        assert record['absence'].endswith(why)


def test_without_ros_the_process_is_left_out(
    measure: Measure, capsys: pytest.CaptureFixture[str]
) -> None:
    record = measure('memory')
    assert record['results']['detector_rss_mb'] is None
    assert 'no process was measured' in capsys.readouterr().err


@pytest.mark.parametrize('bench', ['kernels', 'stream-step'])
def test_without_a_gpu_a_bench_says_so_and_measures_nothing(
    bench: str, measure: Measure, capsys: pytest.CaptureFixture[str]
) -> None:
    record = measure(bench)
    assert record['results'] is None
    assert record['targets'] == []
    assert record['hardware']['GPU'].startswith('none')
    out = capsys.readouterr().out
    assert 'no NVIDIA driver' in out
    assert out.count('\n') == 1


def test_a_folder_that_is_not_there_is_told_before_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(['bench', 'engine', '--json', '/nowhere/out.json']) == 2
    said = 'error: /nowhere: no such folder for out.json; make it'
    assert capsys.readouterr().err.startswith(said)


def test_a_folder_in_place_of_a_file_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(['bench', 'engine', '--json', str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f'error: {tmp_path}: is a folder; name a file')


def test_kernels_that_cannot_be_compiled_leave_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise DeviceError('the table of kernels needs Triton')

    monkeypatch.undo()
    monkeypatch.setattr(bench_document, 'kernel_table', missing)
    assert bench_document.resources() == 'Not compiled: the table of kernels needs Triton.'


def test_the_document_is_made_of_what_was_written(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure('offline')
    measure('kernels')
    capsys.readouterr()
    assert run(['bench', 'document', str(tmp_path)]) == 0
    page = capsys.readouterr().out
    assert page.startswith('# Measured speed and memory\n')
    assert '| offline | rows a second, ours / torch FP32 eager | at least 3 |' in page
    assert 'Not measured: kernels are measured on a GPU alone: no NVIDIA driver.' in page
