"""Baselines of detection on the same recordings: jobs for processes of their own.

C channels, L lead rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from taolora_ros.evaluation.accuracy.settings import SEED
from taolora_ros.evaluation.accuracy.subjects import Case, Subject
from taolora_ros.evaluation.baselines.catalog import BASELINES
from taolora_ros.evaluation.volumes import vus_pr
from taolora_ros.samples import Floats, Recording

REBASE_S = 1.0
"""Time that a run is re-based on, as in the table of the issue that set the marks."""

MOST_ROWS = 60_000  # that a baseline is fitted to: a window of it takes hundreds of numbers


def peer_volumes(subject: Subject, name: str) -> dict[str, float]:
    """VUS-PR of a baseline on each recording with events, by the recording's name.

    Fitted on the training rows; the lead of a recording is scored with it, and left out.

    Args:
        subject: what to learn from, and what to judge.
        name: of the baseline.
    """
    scorer = BASELINES[name](seed=SEED)
    scorer.fit(training_rows(subject.train))
    return {
        case.name: vus_pr(case.labels, scorer.scores(case.recording.values)[case.lead :])
        for case in subject.cases
        if case.labels.any()
    }


def training_rows(recordings: Sequence[Recording]) -> list[Floats]:
    """Rows without gaps `[T_i, C]`, the first of each recording where there are too many."""
    each = MOST_ROWS // len(recordings)
    return [
        part
        for recording in recordings
        for start, end in pairwise((*recording.starts, len(recording.values)))
        if len(part := recording.values[start : min(end, each)])
    ]


def rebased(subject: Subject) -> Subject:
    """Every run, to learn from or to judge, less the mean of its own first second."""
    rows = max(round(REBASE_S * subject.config.ingest.sample_rate_hz), 1)
    return dataclasses.replace(
        subject,
        train=tuple(_rebased(recording, rows) for recording in subject.train),
        cases=tuple(
            dataclasses.replace(case, recording=_rebased(case.recording, rows))
            for case in subject.cases
        ),
    )


def _rebased(recording: Recording, rows: int) -> Recording:
    mean = recording.values[:rows].mean(axis=0)
    return dataclasses.replace(recording, values=np.subtract(recording.values, mean))


def thinned(subject: Subject, most: int) -> Subject:
    """The subject with its first recordings that have events."""
    labeled: list[Case] = [case for case in subject.cases if case.labels.any()]
    return dataclasses.replace(subject, cases=tuple(labeled[:most]))
