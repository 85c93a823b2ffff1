from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.cards import Card, curve_cards, data_uri, fidelity_cards
from taolora_ros.evaluation.fidelity import Twins, compare
from taolora_ros.evaluation.report import ReportRun, twins_of
from taolora_ros.evaluation.runs import judge

SETTINGS = DetectionConfig()


def document(card: Card) -> str:
    head, _, body = card.picture.partition(',')
    assert head == 'data:image/svg+xml;base64'
    return base64.b64decode(body).decode()


@pytest.fixture
def twins(report_run: ReportRun) -> list[Twins]:
    return twins_of([report_run])


def test_each_picture_is_svg_and_said_in_words(report_run: ReportRun, twins: list[Twins]) -> None:
    cards = curve_cards([report_run.result], twins, SETTINGS)
    cards += fidelity_cards(twins, compare(twins))
    assert [card.title for card in cards] == [
        'Precision and recall of rows',
        'Delay',
        'Events found against false alarms',
        'The choice of the threshold',
        'Scores, hop by hop',
        'How far they differ',
    ]
    for card in cards:
        assert ElementTree.fromstring(document(card)).tag.endswith('svg')
        assert card.alt
        assert card.caption


def test_delay_tells_what_was_missed(report_run: ReportRun) -> None:
    (delay,) = (
        card for card in curve_cards([report_run.result], [], None) if card.title == 'Delay'
    )
    # Found 140 ms after its onset, one of two.
    assert '0.00 % within 100 ms, 50.0 % within 300 ms' in delay.caption
    assert '0 found by an alarm that already stood, 1 missed' in delay.caption


def test_operating_point_is_told(report_run: ReportRun) -> None:
    told = curve_cards([report_run.result], [], SETTINGS)[2].caption
    # 1450 tokens of 40 ms watched; less rows 19.9 to 22 s and 35 to 37 s: 53.9 s, one false alarm.
    assert '1 of 2 events, 0 of them by standing alarms, at 66.8 false alarms an hour' in told


def test_event_that_nothing_found_is_drawn_all_the_same(report_run: ReportRun) -> None:
    result = report_run.result
    assert result.truths is not None
    late = judge('late', result.trace, result.truths[1:], tolerance_s=0.0)
    cards = curve_cards([late], [], SETTINGS)
    assert len(cards) == 4
    assert '1 missed' in cards[1].caption


def test_run_without_events_has_no_curves(report_run: ReportRun) -> None:
    for truths in (None, []):
        run = judge('bag', report_run.result.trace, truths, tolerance_s=1.0)
        assert curve_cards([run], [], SETTINGS) == []


def test_twin_of_some_runs_alone_is_not_drawn_against_all(
    report_run: ReportRun, twins: list[Twins]
) -> None:
    both = curve_cards([report_run.result], twins, None)[0]
    alone = curve_cards(2 * [report_run.result], twins, None)[0]
    assert 'FP32 twin' in document(both)
    assert 'FP32 twin' not in document(alone)


def test_source_of_a_picture_holds_it() -> None:
    assert data_uri('<svg/>') == 'data:image/svg+xml;base64,PHN2Zy8+'
