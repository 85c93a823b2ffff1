"""A minute of an arm with a found, a missed and an imagined event, at 4 bits and at FP32."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from taolora_ros.evaluation.events import Detection, Truth
from taolora_ros.evaluation.report import ReportRun
from taolora_ros.evaluation.runs import judge
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Recording

PERIOD_NS = NS_PER_S // 100
TOKENS = 1500  # of 4 rows
THRESHOLD = 4.2


def at(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def detected(onset_s: float, end_s: float, identity: int) -> Detection:
    return Detection(
        id=identity,
        onset_ns=at(onset_s),
        peak_ns=at(onset_s + 0.1),
        end_ns=at(end_s),
        raised_ns=at(onset_s + 0.04),
        severity=2,
        peak_score=6.5,
        p_value=10**-6.5,
        fp16_share=0.8,
        contributions=np.array([0.7, 0.25, 0.05]),
    )


@pytest.fixture(scope='session')
def channels() -> list[str]:
    return ['/imu/data:linear_acceleration.x', '/joint_states:effort[elbow]', '/<odd>:"name"']


@pytest.fixture(scope='session')
def report_run() -> ReportRun:
    """FP32 finds the event that 4 bits miss, and imagines none."""
    generator = np.random.default_rng(5)
    first_ns = np.arange(TOKENS, dtype=np.int64) * 4 * PERIOD_NS
    scores = generator.exponential(0.43, TOKENS).clip(max=4.0)
    scores[500:530], scores[1200:1210] = 6.0, 5.0  # at 20 s, at 48 s
    trace = Trace(
        first_ns=first_ns,
        last_ns=first_ns + 3 * PERIOD_NS,
        is_watching=np.arange(TOKENS) >= 50,
        scores=scores,
        thresholds=np.full(TOKENS, THRESHOLD),
        is_transient=scores > 3.0,
        evidence=np.zeros((TOKENS, 3)),
        contributions=np.full((TOKENS, 3), 1 / 3),
        detections=(detected(20.0, 21.19, 1), detected(48.0, 48.39, 2)),
        period_ns=PERIOD_NS,
        patch=4,
    )
    precise = scores + generator.normal(0, 0.1, TOKENS)
    precise[875:880], precise[1200:1210] = 5.5, 4.0  # at 35 s, at 48 s
    twin = dataclasses.replace(
        trace, scores=precise, detections=(detected(20.0, 21.19, 1), detected(35.0, 35.19, 2))
    )
    truths = [Truth('collision', at(19.9), at(21.0)), Truth('payload slip', at(35.0), at(36.0))]
    rows = TOKENS * 4
    values = np.sin(np.arange(rows)[:, None] / np.array([20, 60, 300]))
    values += generator.normal(0, 0.1, values.shape)
    values[2000:2100, 0] += 4
    recording = Recording('bag', np.arange(rows) * PERIOD_NS, values, np.zeros_like(values))
    result = judge('arm_faults', trace, truths, tolerance_s=1.0, counts={'received': 6000})
    return ReportRun(result, recording, judge('arm_faults', twin, truths, tolerance_s=1.0))
