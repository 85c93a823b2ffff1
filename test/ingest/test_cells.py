from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taolora_ros.ingest.cells import CellSamples

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.just(float('nan')))
SAMPLES = st.lists(st.tuples(st.integers(0, 10**6), st.tuples(NUMBERS, NUMBERS)), min_size=1)


def filled(samples: list[tuple[int, tuple[float, ...]]]) -> CellSamples:
    cell = CellSamples()
    for stamp_ns, values in samples:
        cell.add(stamp_ns, values)
    return cell


def test_the_peak_is_the_farthest_sample_with_its_sign() -> None:
    summary = filled([(0, (1.0, 5.0)), (1, (1.0, 5.0)), (2, (4.0, 2.0))]).summary()
    assert summary.mean == pytest.approx([2.0, 4.0])
    assert summary.peak == pytest.approx([2.0, -2.0])


def test_a_single_sample_has_no_peak() -> None:
    summary = filled([(7, (3.0, np.nan))]).summary()
    assert summary.mean[0] == 3.0
    assert np.isnan(summary.mean[1])
    assert list(summary.peak) == [0.0, 0.0]


def test_first_and_last_go_by_stamp_not_by_arrival() -> None:
    summary = filled([(5, (5.0,)), (9, (9.0,)), (1, (1.0,)), (10, (np.nan,))]).summary()
    assert (summary.first[0], summary.first_ns[0]) == (1.0, 1)
    assert (summary.last[0], summary.last_ns[0]) == (9.0, 9)


@given(SAMPLES, st.integers(1, 5))
def test_summaries_hold_however_often_samples_are_folded(
    samples: list[tuple[int, tuple[float, float]]], every: int
) -> None:
    cell = CellSamples()
    for n, (stamp_ns, values) in enumerate(samples):
        cell.add(stamp_ns, values)
        if n % every == 0:
            cell.summary()
    summary = cell.summary()
    numbers = np.array([values for _, values in samples])
    for column in range(2):
        known = np.isfinite(numbers[:, column])
        if not known.any():
            assert np.isnan(summary.mean[column])
            continue
        seen = numbers[known, column]
        stamps = np.array([stamp for stamp, _ in samples])[known]
        mean = seen.mean()
        assert summary.mean[column] == pytest.approx(mean, abs=1e-6)
        farthest = np.abs(seen - mean).max() if len(seen) > 1 else 0.0
        assert abs(summary.peak[column]) == pytest.approx(farthest, abs=1e-6)
        assert summary.first_ns[column] == stamps.min()
        assert summary.last_ns[column] == stamps.max()
        assert summary.last[column] in seen[stamps == stamps.max()]


def test_memory_stays_bounded_however_many_samples_come() -> None:
    cell = CellSamples()
    for n in range(10_000):
        cell.add(n, (float(n % 100),))
        assert len(cell.samples) < 512
    assert cell.summary().mean[0] == pytest.approx(49.5)
