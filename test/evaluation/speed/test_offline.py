from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.speed.offline import OfflineFindings, measure_offline
from taolora_ros.evaluation.speed.timing import Pace, Times
from taolora_ros.evaluation.speed.workload import Workload
from taolora_ros.samples import Bools, Float32s


def test_all_work_off_the_whole_recording(workload: Workload) -> None:
    seen: list[tuple[int, int]] = []

    def run(rows: Float32s, is_transient: Bools) -> Float32s:
        seen.append((rows.shape[0], is_transient.shape[0]))
        return rows

    findings = measure_offline(workload, run, run, Pace(rounds=2, calls=1, settle=0))
    assert seen == [(240, 60)] * 4
    assert findings.rows == 240
    assert findings.torch_fp32.us.size == 2


def test_speed_is_rows_over_the_median() -> None:
    findings = OfflineFindings(
        rows=1000,
        ours=Times(np.array([1e5, 2e5, 9e5])),
        with_relation=Times(np.array([2.5e5])),
        torch_fp32=Times(np.array([4e5, 8e5, 9e5])),
    )
    figures = findings.to_mapping()
    assert figures['ours_rows_per_s'] == pytest.approx(5000.0)
    assert figures['ours_with_relation_rows_per_s'] == pytest.approx(4000.0)
    assert figures['torch_fp32_rows_per_s'] == pytest.approx(1250.0)
    assert figures['ratio_torch_fp32'] == pytest.approx(4.0)
    assert figures['ratio_torch_fp32_with_relation'] == pytest.approx(3.2)
    assert findings.targets()[0].is_met is True
