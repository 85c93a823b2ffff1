from __future__ import annotations

import json

import numpy as np
import pytest

from taolora_ros.errors import InputError
from taolora_ros.evaluation.events import Truth
from taolora_ros.evaluation.truth import truths_from_reports, truths_from_series


def report(identity: int, state: str, onset_ns: int, end_ns: int) -> str:
    return json.dumps(
        {
            'id': identity,
            'kind': 'spike',
            'state': state,
            'onset_ns': onset_ns,
            'end_ns': end_ns,
            'strength': 1.0,
            'channels': [],
        }
    )


def test_each_run_of_labels_is_one_event_up_to_the_first_normal_label() -> None:
    stamps = np.arange(0, 80, 10)
    values = np.array([0.0, 1, 1, 0, 0, 1, 0, 0])
    assert truths_from_series(stamps, values) == (
        Truth('anomaly', 10, 30),
        Truth('anomaly', 50, 60),
    )


def test_label_that_lasts_to_the_end_ends_a_period_after_it() -> None:
    truths = truths_from_series(np.array([0, 10, 20]), np.array([0.0, 0, 1]))
    assert truths == (Truth('anomaly', 20, 30),)


def test_labels_out_of_order_are_sorted() -> None:
    truths = truths_from_series(np.array([20, 0, 10]), np.array([0.0, 0, 1]))
    assert truths == (Truth('anomaly', 10, 20),)


@pytest.mark.parametrize('values', [[], [0.0, 0.0]])
def test_normal_labels_tell_of_no_event(values: list[float]) -> None:
    assert truths_from_series(np.arange(len(values)), np.array(values)) == ()


def test_onset_and_end_report_of_a_fault_are_one_event() -> None:
    texts = [report(2, 'onset', 50, 60), report(1, 'onset', 10, 20), report(1, 'end', 10, 25)]
    assert truths_from_reports(texts) == (Truth('spike', 10, 25), Truth('spike', 50, 60))


@pytest.mark.parametrize(
    ('text', 'reason'),
    [('{', 'no JSON'), ('[1]', 'no JSON object'), ('{"id": 1}', 'lacks or garbles')],
)
def test_garbled_report_is_refused_with_its_text(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        truths_from_reports([text])
    assert text in str(caught.value)
