from __future__ import annotations

import pytest

from taolora_ros import artifact
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.speed.detector_process import ProcessMemory
from taolora_ros.evaluation.speed.memory import MemoryFindings, measure_memory
from taolora_ros.evaluation.speed.workload import Workload


@pytest.fixture(scope='module')
def findings(model: DetectorModel, tmp_path_factory: pytest.TempPathFactory) -> MemoryFindings:
    path = tmp_path_factory.mktemp('memory') / 'model.safetensors'
    artifact.save(model, path)
    size = path.stat().st_size
    return measure_memory(model, file_bytes=size, detector=None)


def test_the_detector_runs_the_network_in_question(
    model: DetectorModel, workload: Workload
) -> None:
    assert model.watch.network.correction is workload.network.correction
    assert len(model.channels) == 5


def test_parts_add_up_to_the_packed_model(findings: MemoryFindings, model: DetectorModel) -> None:
    figures = findings.to_mapping()
    parts = {row['part']: row['bytes'] for row in figures['packed_by_part']}
    assert sum(parts.values()) == figures['packed_bytes'] == model.watch.packed_bytes
    assert figures['low_rank_bytes'] == parts['down'] + parts['up'] > 0
    assert 'dense' not in parts
    assert figures['packed_over_fp16'] == figures['packed_bytes'] / figures['fp16_bytes']
    assert figures['packed_over_fp32'] == figures['packed_over_fp16'] / 2


def test_the_file_is_the_model_and_its_twin(findings: MemoryFindings) -> None:
    figures = findings.to_mapping()
    twin = 4 * sum(
        rows * columns
        # skip, embed, expand and contract of two blocks, head, relation
        for rows, columns in [(64, 5), (64, 32), *[(32, 64), (32, 32)] * 2, (32, 20), (32, 5)]
    )
    assert figures['artifact_fp32_twin_bytes'] == twin
    assert figures['packed_bytes'] < figures['artifact_bytes'] < 1e6


def test_resident_parts_add_up(findings: MemoryFindings) -> None:
    figures = findings.to_mapping()
    parts = {row['part']: row['bytes'] for row in figures['resident_by_part']}
    assert sum(parts.values()) == figures['resident_buffers_bytes']
    assert parts['packed weights'] > 0
    assert parts['states'] > 0


def test_without_ros_the_process_is_left_open(findings: MemoryFindings) -> None:
    figures = findings.to_mapping()
    assert figures['detector_rss_mb'] is figures['detector_imports_torch'] is None
    assert [target.is_met for target in findings.targets()][2:] == [None, None]


@pytest.mark.parametrize(('library', 'is_met'), [('libtorch_cpu.so', False), ('libc.so', True)])
def test_a_detector_that_loads_torch_misses_its_target(
    model: DetectorModel, library: str, is_met: bool
) -> None:
    process = ProcessMemory(rss_mb=100.0, peak_mb=120.0, libraries=frozenset({library}))
    findings = measure_memory(model, file_bytes=10**6, detector=process)
    assert [target.is_met for target in findings.targets()][2:] == [True, is_met]
    assert findings.to_mapping()['detector_rss_mb'] == 100.0
