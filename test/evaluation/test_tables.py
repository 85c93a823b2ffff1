from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from taolora_ros.evaluation.events import Detection
from taolora_ros.evaluation.report import ReportRun, twins_of
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.evaluation.tables import print_fidelity, print_results
from taolora_ros.evaluation.trace import Trace

PERIOD_NS = 10_000_000


def run_with(counts: dict[str, int], *, tokens: int = 10) -> RunResult:
    first_ns = np.arange(tokens, dtype=np.int64) * 4 * PERIOD_NS
    hit = Detection(
        id=1,
        onset_ns=int(0.1e9),
        peak_ns=int(0.2e9),
        end_ns=int(0.3e9),
        raised_ns=int(0.14e9),
        severity=2,
        peak_score=5.0,
        p_value=1e-5,
        fp16_share=1.0,
        contributions=np.array([0.25, 0.75]),
    )
    trace = Trace(
        first_ns=first_ns,
        last_ns=first_ns + 3 * PERIOD_NS,
        is_watching=np.ones(tokens, dtype=np.bool_),
        scores=np.zeros(tokens),
        thresholds=np.ones(tokens),
        is_transient=np.zeros(tokens, dtype=np.bool_),
        evidence=np.zeros((tokens, 3)),
        contributions=np.zeros((tokens, 2)),
        detections=(hit,) if tokens else (),
        period_ns=PERIOD_NS,
        patch=4,
    )
    return judge('bag', trace, None, tolerance_s=1.0, counts=counts)


def printed(result: RunResult) -> str:
    said = io.StringIO()
    print_results(Console(file=said, width=100), [result], ['/a:x', '/joint_states:effort[elbow]'])
    return said.getvalue()


def test_channel_names_in_brackets_are_printed_whole() -> None:
    assert '/joint_states:effort[elbow]' in printed(run_with({}))


def test_losses_of_the_intake_are_told_and_zeros_are_not() -> None:
    said = printed(run_with({'received': 9, 'non_finite': 3, 'unreadable': 0}))
    assert 'bag: 3 non_finite' in said
    assert 'unreadable' not in said
    assert 'received' not in said


def test_run_without_a_token_says_that_nothing_was_scored() -> None:
    said = printed(run_with({}, tokens=0))
    assert 'bag: no labels; 0 events' in said
    assert 'nothing was scored' in said


def test_what_4_bits_changed_is_one_line(report_run: ReportRun) -> None:
    said = io.StringIO()
    print_fidelity(Console(file=said, width=80), twins_of([report_run]))
    (line,) = said.getvalue().splitlines()
    assert '1 of 2 events found by both, 0 by 4 bits alone, 1 by FP32 alone' in line


def test_nothing_is_said_of_a_twin_that_did_not_run() -> None:
    said = io.StringIO()
    print_fidelity(Console(file=said), [])
    assert said.getvalue() == ''
