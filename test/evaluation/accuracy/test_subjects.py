from __future__ import annotations

import numpy as np

from taolora_ros.evaluation.accuracy.subjects import (
    arm_subject,
    dev_subjects,
    judged_jobs,
    training_jobs,
    truths_of,
)
from taolora_ros.evaluation.datasets.series import DataSet, Series, grid_recording
from taolora_ros.samples import NS_PER_S

DEVELOPED_ON = {*range(10), *range(21, 25), *range(71, 75), *range(100, 140), *range(300, 360)}


def series(name: str, train: tuple, *, continues: bool, rate_hz: float = 1.0) -> Series:
    test = grid_recording(name, np.arange(50.0)[:, None] + 1000.0, rate_hz)
    labels = np.zeros(50, bool)
    labels[10:20] = labels[49] = True
    return Series(name, train, test, labels, continues, rate_hz)


def test_each_recording_of_the_arm_has_a_seed_of_its_own() -> None:
    jobs = [*training_jobs(10), *judged_jobs(40, 20)]
    seeds = {job.seed for job in jobs}
    assert len(seeds) == len(jobs) == 70
    assert not seeds & DEVELOPED_ON
    assert sum(job.strength is not None for job in jobs) == 40


def test_a_series_that_goes_on_is_led_in_by_the_newest_training_rows() -> None:
    train = (grid_recording('train/0', np.arange(300.0)[:, None], 1.0),)
    data = DataSet('skab', ('c',), (series('a', train, continues=True),))
    (subject,) = dev_subjects(data)
    (case,) = subject.cases
    assert subject.config.detection.warmup_s == 0.0
    assert case.lead == 160
    assert case.recording.values[:, 0].tolist() == [*range(140, 300), *range(1000, 1050)]
    assert case.judged_ns[0] == 160 * NS_PER_S


def test_a_lead_crosses_no_break() -> None:
    train = (grid_recording('train/0', np.arange(300.0)[:, None], 1.0, starts=(0, 290)),)
    (subject,) = dev_subjects(DataSet('ur3', ('c',), (series('a', train, continues=True),)))
    assert subject.cases[0].lead == 10


def test_a_run_of_its_own_warms_up_and_shares_its_detector() -> None:
    train = (grid_recording('train/0', np.zeros((300, 1)), 1.0),)
    runs = tuple(series(name, train, continues=False) for name in 'ab')
    (subject,) = dev_subjects(DataSet('rosa', ('c',), runs))
    assert [case.lead for case in subject.cases] == [0, 0]
    assert subject.config.detection.warmup_s == 2.0
    assert subject.config.channels == ('/series:c0',)


def test_series_with_training_rows_of_their_own_have_detectors_of_their_own() -> None:
    runs = tuple(
        series(name, (grid_recording('t', np.zeros((300, 1)), 1.0),), continues=True)
        for name in 'ab'
    )
    assert len(dev_subjects(DataSet('skab', ('c',), runs))) == 2


def test_each_run_of_labels_is_an_event_up_to_the_next_normal_stamp() -> None:
    labels = np.array([0, 1, 1, 0, 1], bool)
    truths = truths_of(labels, np.arange(5, dtype=np.int64) * NS_PER_S, 1.0)
    spans = [(truth.onset_ns / NS_PER_S, truth.end_ns / NS_PER_S) for truth in truths]
    assert spans == [(1.0, 3.0), (4.0, 5.0)]


def test_labels_of_the_arm_cover_its_faults(make_rotor, record_rotor) -> None:
    (job,) = judged_jobs(1, 0)
    entry = record_rotor(job)
    case = arm_subject([entry], [entry], ('/rotor:x',) * 4).cases[0]
    assert np.flatnonzero(case.labels).tolist() == [*range(1200, 1240), *range(1800, 1840)]
    assert case.strengths == (1.0, 0.001)
