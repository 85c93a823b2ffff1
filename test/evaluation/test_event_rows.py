from __future__ import annotations

from taolora_ros.evaluation.event_rows import Part, event_rows
from taolora_ros.evaluation.report import ReportRun
from taolora_ros.evaluation.runs import judge


def test_true_events_and_false_alarms_come_in_order_of_time(
    report_run: ReportRun, channels: list[str]
) -> None:
    rows = event_rows(report_run.result, channels, twin=report_run.twin)
    assert [row.verdict for row in rows] == ['found', 'missed', 'false alarm']
    assert [row.kind for row in rows] == ['collision', 'payload slip', '']
    assert [row.fp32 for row in rows] == ['found', 'found', '']
    assert [row.onset for row in rows] == ['19.90 s', '35.00 s', '']
    assert [row.alarm for row in rows] == ['20.00 s – 21.19 s', '', '48.00 s – 48.39 s']
    assert rows[0].delay == '140 ms'


def test_channels_come_by_contribution(report_run: ReportRun, channels: list[str]) -> None:
    found = event_rows(report_run.result, channels)[0]
    assert found.fp32 == ''
    assert found.parts == (Part(channels[0], 70), Part(channels[1], 25), Part(channels[2], 5))


def test_detections_without_labels_are_just_that(
    report_run: ReportRun, channels: list[str]
) -> None:
    bare = judge('bag', report_run.result.trace, None, tolerance_s=1.0)
    assert [row.verdict for row in event_rows(bare, channels)] == ['detected', 'detected']
