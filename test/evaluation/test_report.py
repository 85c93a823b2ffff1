from __future__ import annotations

import base64
import html.parser
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from taolora_ros.evaluation.events import Detection, Truth
from taolora_ros.evaluation.figures import envelope, run_figure
from taolora_ros.evaluation.report import ReportRun, render_report, write_report
from taolora_ros.evaluation.runs import judge
from taolora_ros.evaluation.trace import Trace
from taolora_ros.samples import NS_PER_S, Recording

CHANNELS = ['/imu/data:linear_acceleration.x', '/joint_states:effort[elbow]', '/<odd>:"name"']
PERIOD_NS = NS_PER_S // 100


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


@pytest.fixture
def run() -> ReportRun:
    """A minute at 100 Hz with a found, a missed and an imagined event."""
    generator = np.random.default_rng(5)
    tokens = 1500
    first_ns = np.arange(tokens, dtype=np.int64) * 4 * PERIOD_NS
    scores = generator.exponential(0.43, tokens)
    scores[500:530] = 6.0
    scores[1200:1210] = 5.0
    trace = Trace(
        first_ns=first_ns,
        last_ns=first_ns + 3 * PERIOD_NS,
        is_watching=np.arange(tokens) >= 50,
        scores=scores,
        thresholds=np.full(tokens, 4.2),
        is_transient=(scores > 4),
        evidence=np.zeros((tokens, 3)),
        contributions=np.full((tokens, 3), 1 / 3),
        detections=(detected(20.0, 21.2, 1), detected(48.0, 48.4, 2)),
        period_ns=PERIOD_NS,
        patch=4,
    )
    truths = [Truth('collision', at(19.9), at(21.0)), Truth('payload slip', at(35.0), at(36.0))]
    rows = tokens * 4
    values = np.sin(np.arange(rows)[:, None] / np.array([20, 60, 300]))
    values += generator.normal(0, 0.1, values.shape)
    values[2000:2100, 0] += 4
    recording = Recording('bag', np.arange(rows) * PERIOD_NS, values, np.zeros_like(values))
    result = judge('arm_faults', trace, truths, tolerance_s=1.0, counts={'received': 6000})
    return ReportRun(result, recording)


def test_page_asks_nothing_of_the_network(run: ReportRun) -> None:
    page = render_report([run], channels=CHANNELS, title='Report', facts={'model': 'arm'})
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith('data:') for source in sources)
    assert '<script' not in page
    assert '@import' not in page


def test_page_tells_found_missed_and_false_alarm_apart(run: ReportRun) -> None:
    page = render_report([run], channels=CHANNELS, title='Report', facts={})
    assert 'found</td>' in page
    assert 'missed</td>' in page
    assert 'false alarm</td>' in page
    assert '1 of 2' in page


def test_page_escapes_names_that_look_like_markup(run: ReportRun) -> None:
    page = render_report([run], channels=CHANNELS, title='<script>', facts={'k': '<b>'})
    assert '<script>' not in page
    assert '<b>' not in page.partition('</style>')[2].replace('<div class="tile"><b>', '')
    assert '/&lt;odd&gt;' in page


def test_page_without_labels_lists_detections_and_claims_nothing(run: ReportRun) -> None:
    bare = ReportRun(judge('bag', run.result.trace, None, tolerance_s=1.0))
    page = render_report([bare], channels=CHANNELS, title='Report', facts={})
    assert 'detected (no labels)' in page
    assert 'false alarm</td>' not in page
    assert 'mean average precision' not in page


def test_page_is_well_formed(run: ReportRun, tmp_path: Path) -> None:
    class Balance(html.parser.HTMLParser):
        void = frozenset({'meta', 'img', 'br'})

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    path = tmp_path / 'report.html'
    write_report(path, [run], channels=CHANNELS, title='Report', facts={'a': 'b'})
    balance = Balance()
    balance.feed(path.read_text(encoding='utf-8'))
    assert balance.open == []


def test_picture_is_svg_and_the_same_every_time(run: ReportRun) -> None:
    first = run_figure(run.result, run.recording, CHANNELS)
    assert ElementTree.fromstring(first).tag.endswith('svg')
    assert run_figure(run.result, run.recording, CHANNELS) == first


def test_picture_in_the_page_is_the_run_figure(run: ReportRun) -> None:
    page = render_report([run], channels=CHANNELS, title='Report', facts={})
    encoded = page.partition('data:image/svg+xml;base64,')[2].partition('"')[0]
    assert base64.b64decode(encoded).decode() == run_figure(run.result, run.recording, CHANNELS)


def test_thinned_curve_keeps_its_extremes() -> None:
    values = np.zeros(10_000)
    values[1234], values[4321] = 5.0, -7.0
    times, thin = envelope(np.arange(10_000.0), values, columns=50)
    assert len(thin) <= 100
    assert (thin.max(), thin.min()) == (5.0, -7.0)
    assert times[np.argmax(thin)] == 1234


def test_short_curve_is_drawn_as_it_is() -> None:
    values = np.arange(10.0)
    times, thin = envelope(values, values, columns=5)
    assert thin is values
    assert times is values
