from __future__ import annotations

from xml.etree import ElementTree

from taolora_ros.evaluation.figures import run_figure
from taolora_ros.evaluation.report import ReportRun
from taolora_ros.evaluation.runs import judge


def test_picture_is_svg_and_the_same_every_time(
    report_run: ReportRun, channels: list[str]
) -> None:
    first = run_figure(report_run.result, report_run.recording, channels)
    assert ElementTree.fromstring(first).tag.endswith('svg')
    assert run_figure(report_run.result, report_run.recording, channels) == first


def test_fp32_score_is_drawn_where_the_twin_ran(
    report_run: ReportRun, channels: list[str]
) -> None:
    assert report_run.twin is not None
    alone = run_figure(report_run.result, None, channels)
    both = run_figure(report_run.result, None, channels, twin=report_run.twin.trace)
    assert 'score of the FP32 twin' not in alone
    assert 'score of the FP32 twin' in both


def test_lane_of_the_truth_is_there_only_with_labels(
    report_run: ReportRun, channels: list[str]
) -> None:
    bare = judge('bag', report_run.result.trace, None, tolerance_s=1.0)
    assert '<!-- truth -->' in run_figure(report_run.result, None, channels)
    assert '<!-- truth -->' not in run_figure(bare, None, channels)
