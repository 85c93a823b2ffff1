from __future__ import annotations

import html.parser
import re
from pathlib import Path

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.cards import data_uri
from taolora_ros.evaluation.figures import run_figure
from taolora_ros.evaluation.report import ReportRun, render_report, twins_of, write_report
from taolora_ros.evaluation.runs import judge

SETTINGS = DetectionConfig()


def rendered(*runs: ReportRun, channels: list[str], **more: str) -> str:
    return render_report(runs, channels=channels, title='Report', facts=more, detection=SETTINGS)


def test_page_asks_nothing_of_the_network(report_run: ReportRun, channels: list[str]) -> None:
    page = rendered(report_run, channels=channels, model='arm')
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith(('data:', '#')) for source in sources)
    assert '<script' not in page
    assert '@import' not in page
    assert "default-src 'none'" in page  # and the browser is told to hold it to that


def test_page_tells_found_missed_and_false_alarm_apart(
    report_run: ReportRun, channels: list[str]
) -> None:
    page = rendered(report_run, channels=channels)
    assert 'found</td>' in page
    assert 'missed</td>' in page
    assert 'false alarm</td>' in page
    assert '1 of 2' in page


def test_page_escapes_names_that_look_like_markup(
    report_run: ReportRun, channels: list[str]
) -> None:
    page = render_report([report_run], channels=channels, title='<script>', facts={'k': '<b>'})
    assert '<script>' not in page
    assert '<b>' not in page.partition('</style>')[2].replace('<div class="tile"><b>', '')
    assert '/&lt;odd&gt;' in page


def test_page_without_labels_lists_detections_and_claims_nothing(
    report_run: ReportRun, channels: list[str]
) -> None:
    bare = ReportRun(judge('bag', report_run.result.trace, None, tolerance_s=1.0))
    page = rendered(bare, channels=channels)
    assert 'detected (no labels)' in page
    assert 'false alarm</td>' not in page
    assert 'mean average precision' not in page
    assert 'id="curves"' not in page


def test_page_tells_what_4_bits_changed_where_the_twin_ran(
    report_run: ReportRun, channels: list[str]
) -> None:
    page = rendered(report_run, channels=channels)
    assert 'both precisions found 1, 4 bits alone 0, FP32 alone 1' in page
    alone = ReportRun(report_run.result, report_run.recording)
    assert 'id="fidelity"' not in rendered(alone, channels=channels)


def test_curves_over_other_thresholds_need_the_settings_of_the_tracker(
    report_run: ReportRun, channels: list[str]
) -> None:
    title = 'Events found against false alarms'
    assert title in rendered(report_run, channels=channels)
    page = render_report([report_run], channels=channels, title='Report', facts={})
    assert title not in page
    assert 'Precision and recall of rows' in page


def test_page_is_well_formed(report_run: ReportRun, channels: list[str], tmp_path: Path) -> None:
    class Balance(html.parser.HTMLParser):
        void = frozenset({'meta', 'link', 'img', 'br'})

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    path = tmp_path / 'report.html'
    write_report(path, [report_run], channels=channels, title='Report', facts={'a': 'b'})
    balance = Balance()
    page = path.read_text(encoding='utf-8')
    balance.feed(page)
    assert balance.open == []
    assert page.startswith('<!DOCTYPE html>')  # anything before it makes a browser doubt


def test_picture_in_the_page_is_the_run_figure(report_run: ReportRun, channels: list[str]) -> None:
    assert report_run.twin is not None
    picture = run_figure(
        report_run.result, report_run.recording, channels, twin=report_run.twin.trace
    )
    assert f'src="{data_uri(picture)}"' in rendered(report_run, channels=channels)


def test_runs_that_the_twin_did_not_run_are_left_out_of_the_comparison(
    report_run: ReportRun,
) -> None:
    (pair,) = twins_of([ReportRun(report_run.result), report_run])
    assert pair.fp32 is report_run.twin
