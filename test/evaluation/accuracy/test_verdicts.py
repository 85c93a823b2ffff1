from __future__ import annotations

import numpy as np

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.parts import SUBSETS
from taolora_ros.evaluation.accuracy.streaming import row_scores, stream
from taolora_ros.evaluation.accuracy.subjects import Case, Subject
from taolora_ros.evaluation.accuracy.verdicts import in_alarm, judge_case
from taolora_ros.evaluation.volumes import vus_pr
from taolora_ros.model.base import Precision


def test_the_strong_strike_is_found_at_both_precisions(
    rotor_model: DetectorModel, struck: Case
) -> None:
    for precision in (Precision.INT4_ROUTED, Precision.FP32):
        result = judge_case(rotor_model, struck, precision).result
        assert result.events == 2
        assert result.matching is not None
        assert result.matching.matches[0].is_found


def test_the_volume_is_that_of_the_row_scores(rotor_model: DetectorModel, struck: Case) -> None:
    trace = stream(rotor_model, struck).trace
    expected = vus_pr(struck.labels, row_scores(struck, trace, trace.scores))
    assert judge_case(rotor_model, struck, Precision.INT4_ROUTED).vus_pr == expected


def test_parts_are_judged_where_asked(rotor_model: DetectorModel, struck: Case) -> None:
    plain = judge_case(rotor_model, struck, Precision.INT4_ROUTED)
    full = judge_case(rotor_model, struck, Precision.INT4_ROUTED, with_parts=True)
    assert plain.parts == {}
    assert set(full.parts) == {'router', *SUBSETS}
    assert full.strengths == (1.0, 0.001)


def test_a_recording_without_events_has_no_volume(
    rotor_model: DetectorModel, rotor_subject: Subject
) -> None:
    verdict = judge_case(
        rotor_model, rotor_subject.cases[1], Precision.INT4_ROUTED, with_parts=True
    )
    assert verdict.vus_pr is None
    assert verdict.parts == {}
    assert verdict.quiet.rows == 2500 - 200  # all but the warm-up


def test_quiet_rows_lie_between_the_warm_up_and_the_first_event(
    rotor_model: DetectorModel, struck: Case
) -> None:
    verdict = judge_case(rotor_model, struck, Precision.INT4_ROUTED)
    assert verdict.quiet.rows == 1200 - 200
    routed = verdict.result.trace.is_transient[50:300]
    assert verdict.quiet.routed == 4 * np.count_nonzero(routed)


def test_rows_of_detections_are_in_alarm(rotor_model: DetectorModel, struck: Case) -> None:
    trace = judge_case(rotor_model, struck, Precision.INT4_ROUTED).result.trace
    alarms = in_alarm(trace, struck.judged_ns)
    hit = trace.detections[0]
    first, last = np.searchsorted(struck.judged_ns, (hit.onset_ns, hit.end_ns))
    assert alarms[first : last + 1].all()
    assert not alarms[:first].any()
