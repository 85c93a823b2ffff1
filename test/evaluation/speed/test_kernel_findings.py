from __future__ import annotations

import pytest

from taolora_ros.evaluation.speed.kernel_findings import KernelFindings, KernelTimes, Shape

OWN = Shape(inputs=128, outputs=512, rank=8, is_network=True)
SQUARE = Shape(inputs=1024, outputs=1024, rank=32, is_network=False)


def times(shape: Shape, share: float, ours: float, compiled: float | None) -> KernelTimes:
    us = {'ours': ours, 'ours_quantizing': ours + 2.0, 'without_low_rank': 10.0}
    if compiled is not None:
        us['torch_compile_fp16'] = compiled
    return KernelTimes(rows=16, shape=shape, low_rank_share=share, us=us)


def test_overhead_is_over_the_same_layer_without_a_low_rank_path() -> None:
    assert times(OWN, 1.0, 10.2, None).overhead == pytest.approx(0.02)


def test_a_peer_that_is_missing_leaves_a_gap() -> None:
    findings = KernelFindings([times(OWN, 0.0, 10.0, 12.0), times(OWN, 1.0, 10.0, None)], {})
    first, second = findings.to_mapping()['by_shape']
    assert list(first) == list(second)
    assert first['torch_compile_over_ours'] == pytest.approx(1.0)  # 12 over 10 + 2
    assert second['torch_compile_fp16_us'] is second['torch_compile_over_ours'] is None


def test_the_worst_shape_of_the_network_counts_against_torch_compile() -> None:
    findings = KernelFindings(
        [
            times(OWN, 0.0, 10.0, 12.0),
            times(OWN, 1.0, 10.4, 10.0),
            times(SQUARE, 0.0, 10.0, 1.0),  # not of the network
            times(SQUARE, 1.0, 10.2, 1.0),
        ],
        {'gemlite_a16w4': 'ModuleNotFoundError'},
    )
    compiled, full, none = findings.targets()
    assert compiled.measured == pytest.approx(10.0 / 12.4)
    assert compiled.is_met is False
    assert full.measured == pytest.approx(0.04)  # of 4 % and 2 %
    assert full.is_met is False
    assert none.measured == pytest.approx(0.0)
    assert none.is_met is True
    figures = findings.to_mapping()
    assert {target.figure: target.measured for target in findings.targets()} == {
        name: figures[name]
        for name in (
            'least_torch_compile_over_ours',
            'most_low_rank_overhead_all_rows',
            'most_low_rank_overhead_no_row',
        )
    }
    absent = [{'peer': 'gemlite_a16w4', 'why': 'ModuleNotFoundError'}]
    assert findings.to_mapping()['absent_peers'] == absent


def test_without_any_peer_nothing_is_claimed() -> None:
    compiled, _, _ = KernelFindings([times(OWN, 0.0, 10.0, None)], {}).targets()
    assert compiled.measured is compiled.is_met is None
