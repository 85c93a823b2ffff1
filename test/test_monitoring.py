from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taolora_ros.monitoring import Latency, LatencyHistogram, resident_mb


def test_nothing_recorded_gives_zeros() -> None:
    summary = LatencyHistogram().summary()
    assert summary == Latency(0, p50_s=0.0, p99_s=0.0, p999_s=0.0, max_s=0.0)


def test_short_durations_are_counted_exactly() -> None:
    histogram = LatencyHistogram()
    for duration_ns in range(64):
        histogram.record(duration_ns)
    assert histogram.quantile_ns(0.5) == 31
    assert histogram.quantile_ns(1.0) == 63


@pytest.mark.parametrize('share', [0.01, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_a_quantile_is_never_too_low_and_at_most_one_part_in_32_too_high(share: float) -> None:
    durations = np.random.default_rng(7).lognormal(13.0, 2.0, size=2000).astype(int)
    histogram = LatencyHistogram()
    for duration_ns in durations:
        histogram.record(int(duration_ns))
    exact = int(np.quantile(durations, share, method='inverted_cdf'))
    assert exact <= histogram.quantile_ns(share) <= exact * (1 + 1 / 32)


def test_a_summary_tells_the_rare_hops_from_the_usual_ones() -> None:
    histogram = LatencyHistogram()
    for share, duration_ns in ((980, 10), (15, 20), (4, 30), (1, 40)):
        for _ in range(share):
            histogram.record(duration_ns)
    assert histogram.summary() == Latency(
        1000, p50_s=10e-9, p99_s=20e-9, p999_s=30e-9, max_s=40e-9
    )


def test_the_largest_duration_is_kept_exactly() -> None:
    histogram = LatencyHistogram()
    for duration_ns in (1_000, 123_456_789):
        histogram.record(duration_ns)
    assert histogram.summary().max_s == 0.123456789
    assert histogram.quantile_ns(1.0) == 123_456_789


@pytest.mark.parametrize('duration_ns', [0, 1, 2**31, 2**62, 2**63 - 1])
def test_any_duration_that_a_clock_can_tell_has_a_bucket(duration_ns: int) -> None:
    histogram = LatencyHistogram()
    histogram.record(duration_ns)
    assert histogram.quantile_ns(0.5) == duration_ns


def test_a_clock_that_stepped_back_counts_as_no_time() -> None:
    histogram = LatencyHistogram()
    histogram.record(-5)
    assert (histogram.summary().count, histogram.summary().max_s) == (1, 0.0)


def test_a_new_period_begins_empty() -> None:
    histogram = LatencyHistogram()
    histogram.record(1_000)
    histogram.clear()
    assert histogram.summary().count == 0
    assert histogram.summary().max_s == 0.0


def test_the_body_of_a_with_statement_is_timed() -> None:
    ticks = iter([100, 350])
    histogram = LatencyHistogram()
    with histogram.timed(lambda: next(ticks)):
        pass
    assert histogram.summary().max_s == 250e-9


def test_resident_memory_is_read_from_the_kernel(tmp_path: Path) -> None:
    status = tmp_path / 'status'
    status.write_text('Name:\tpython\nVmHWM:\t  250000 kB\nVmRSS:\t  125000 kB\n')
    assert resident_mb(status) == 128.0  # 125,000 · 1,024 bytes
    assert resident_mb(status, field='VmHWM') == 256.0


def test_resident_memory_is_zero_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert resident_mb(tmp_path / 'missing') == 0.0
