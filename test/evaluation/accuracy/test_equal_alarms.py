from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.config import DetectionConfig
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.equal_alarms import at_equal_alarms, at_threshold
from taolora_ros.evaluation.accuracy.subjects import Subject
from taolora_ros.evaluation.accuracy.verdicts import judge_case
from taolora_ros.evaluation.events import Truth
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.trace import Trace
from taolora_ros.model.base import Precision
from taolora_ros.samples import NS_PER_S

SETTINGS = DetectionConfig(merge_s=0.5)
HOP_NS = NS_PER_S // 25


def scored(name: str, peaks: dict[int, float], event: int | None = None) -> RunResult:
    """40 s of hops that score 1 but for the peaks at these seconds; its threshold is 4."""
    scores = np.ones(1000)
    for second, score in peaks.items():
        scores[second * 25] = score
    first = np.arange(1000, dtype=np.int64) * HOP_NS
    trace = Trace(
        first_ns=first,
        last_ns=first + 3 * HOP_NS // 4,
        is_watching=np.ones(1000, bool),
        scores=scores,
        thresholds=np.full(1000, 4.0),
        is_transient=np.zeros(1000, bool),
        evidence=np.zeros((1000, 3)),
        contributions=np.ones((1000, 1)),
        detections=(),
        period_ns=HOP_NS // 4,
        patch=4,
    )
    truths = () if event is None else (Truth('hit', event * NS_PER_S, (event + 1) * NS_PER_S),)
    return judge(name, trace, truths, tolerance_s=1.0)


@pytest.mark.parametrize(('allowed', 'found', 'false'), [(0, 1, 0), (1, 1, 0), (2, 2, 2)])
def test_the_threshold_finds_most_with_no_more_false_alarms(
    allowed: int, found: int, false: int
) -> None:
    results = [
        scored('weak', {10: 3.0}, event=10),
        scored('strong', {10: 6.0}, event=10),
        scored('normal', {10: 3.5, 30: 5.0}),
    ]
    equal = at_equal_alarms(results, allowed, SETTINGS)
    assert sum(result.events_found or 0 for result in equal) == found
    assert sum(result.false_alarms or 0 for result in equal) == false


def test_at_its_own_threshold_a_result_stays_as_it_is(
    rotor_model: DetectorModel, rotor_subject: Subject
) -> None:
    for case in rotor_subject.cases:
        own = judge_case(rotor_model, case, Precision.FP32).result
        threshold = float(own.trace.thresholds[0])
        again = at_threshold(own, threshold, rotor_model.config.detection)
        assert again.events_found == own.events_found
        assert again.normal_in_alarm == own.normal_in_alarm
        spans = [[(d.onset_ns, d.end_ns) for d in r.trace.detections] for r in (own, again)]
        assert spans[0] == spans[1]
