from __future__ import annotations

from taolora_ros.evaluation.accuracy.study import Findings


def test_every_recording_is_judged_at_both_precisions(findings: Findings) -> None:
    arm = findings.sets['arm']
    names = ['fault_0', 'fault_1', 'normal_0']
    for verdicts in (arm.routed, arm.fp32):
        assert [verdict.name for verdict in verdicts] == names
    assert [result.name for result in arm.reference] == names
    assert any(
        (one.result.trace.scores != other.result.trace.scores).any()
        for one, other in zip(arm.routed, arm.fp32, strict=True)
    )


def test_the_time_of_each_phase_is_told(findings: Findings) -> None:
    assert set(findings.seconds) == {
        'recordings',
        'training',
        'verdicts',
        'baselines',
        'quantization',
    }


def test_what_is_left_out_says_why(findings: Findings) -> None:
    assert findings.skipped['correction'] == 'left out by --quick'
    assert 'absent' in findings.skipped['rosa']
    assert findings.peers['arm']['random'].keys() == {'fault_0'}
