from __future__ import annotations

import json

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.document import evaluation_to_mapping
from taolora_ros.evaluation.report import ReportRun


def test_figures_of_both_precisions_stand_over_all_runs_and_by_run(
    report_run: ReportRun, channels: list[str]
) -> None:
    data = evaluation_to_mapping([report_run], channels=channels, detection=DetectionConfig())
    (run,) = data['runs']
    for figures in (data, run):
        assert (figures['events_found'], figures['events_found_fp32']) == (1, 2)
        assert (figures['false_alarms'], figures['false_alarms_fp32']) == (1, 0)
        assert figures['fidelity']['events_fp32_alone'] == 1
    assert data['pooled_average_precision'] == run['average_precision']
    assert data['mean_average_precision_fp32'] == run['average_precision_fp32']
    assert len(data['operating_curve']) == 100
    assert run['event_fp16_share'] > run['normal_fp16_share']
    assert json.loads(json.dumps(data)) == data


def test_figures_of_the_twin_are_none_where_it_did_not_run(
    report_run: ReportRun, channels: list[str]
) -> None:
    alone = ReportRun(report_run.result)
    data = evaluation_to_mapping([alone], channels=channels, detection=DetectionConfig())
    (run,) = data['runs']
    for figures in (data, run):
        assert figures['events_found_fp32'] is None
        assert figures['fidelity'] is None
    assert run['average_precision_fp32'] is None
