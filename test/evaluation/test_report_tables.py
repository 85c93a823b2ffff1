from __future__ import annotations

from taolora_ros.evaluation.fidelity import Twins
from taolora_ros.evaluation.report import ReportRun
from taolora_ros.evaluation.report_tables import (
    fidelity_table,
    kinds_table,
    routing_table,
    runs_table,
)
from taolora_ros.evaluation.runs import judge


def test_every_row_has_a_cell_a_column(report_run: ReportRun) -> None:
    assert report_run.twin is not None
    pair = Twins(report_run.result, report_run.twin)
    kinds = kinds_table([report_run.result])
    assert kinds is not None
    for table in (runs_table(2 * [report_run.result]), kinds, fidelity_table([pair, pair])):
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert len(table.total) in (0, len(table.columns))
        assert sum(span for _, span in table.groups) in (0, len(table.columns) - 1)


def test_one_run_needs_no_line_for_all(report_run: ReportRun) -> None:
    assert runs_table([report_run.result]).total == ()
    assert runs_table(2 * [report_run.result]).total[:3] == ('all', '4', '2')


def test_one_kind_of_event_needs_no_table(report_run: ReportRun) -> None:
    assert kinds_table([]) is None


def test_routed_share_is_told_for_normal_time_and_for_events(report_run: ReportRun) -> None:
    (row,) = routing_table([report_run.result])
    (_, everything), (_, normal), (_, events) = row.shares
    assert normal < everything < events


def test_without_labels_only_what_needs_none_is_told(report_run: ReportRun) -> None:
    bare = judge('bag', report_run.result.trace, None, tolerance_s=1.0)
    assert runs_table([bare]).rows == (('bag', '2', '60.0 s'),)
    assert len(routing_table([bare])[0].shares) == 1
