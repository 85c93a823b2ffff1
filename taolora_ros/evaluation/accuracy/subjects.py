"""Simulated arm and development sets in one form: what to learn from, and what to judge.

T rows, C channels, L lead rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from taolora_ros.config import Config
from taolora_ros.evaluation.accuracy.settings import (
    ARM_RATE_HZ,
    ARM_WARMUP_S,
    LEAD_ROWS,
    WARMUP_S,
    detector_config,
)
from taolora_ros.evaluation.datasets.series import DataSet, Series, grid_recording
from taolora_ros.evaluation.events import Truth, cover
from taolora_ros.samples import NS_PER_S, Bools, Floats, Ints, Recording

ARM = 'arm'


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A recording to judge."""

    name: str
    recording: Recording  # [L + T, C]
    truths: tuple[Truth, ...]  # in order of onset
    labels: Bools  # [T] rows of true events
    strengths: tuple[float, ...] = ()  # of the truths, 0 to 1, where known
    lead: int = 0  # L, rows that lead in and aren't judged

    @property
    def judged_ns(self) -> Ints:
        """`[T]` stamps of the rows that are judged."""
        return self.recording.stamps_ns[self.lead :]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One detector: what it is trained on, and what it is judged by."""

    set_name: str
    config: Config
    train: tuple[Recording, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class ArmJob:
    """A recording of the arm to simulate; one job gives one recording."""

    name: str
    seed: int
    duration_s: float
    strength: tuple[float, float] | None  # weakest and strongest fault; None for normal work


@dataclass(frozen=True, slots=True, eq=False)
class ArmRecording:
    """What a job gave."""

    recording: Recording
    truths: tuple[Truth, ...]  # in order of onset
    strengths: tuple[float, ...]


# Seeds that nothing was developed on.
_TRAINING_SEED, _FAULTY_SEED, _NORMAL_SEED = 1000, 2000, 3000
_TRAINING_S, _JUDGED_S = 120.0, 180.0
_STRENGTH = (0.03, 1.0)


def training_jobs(count: int) -> list[ArmJob]:
    """Normal recordings to learn from."""
    return [
        ArmJob(f'train_{index}', _TRAINING_SEED + index, _TRAINING_S, None)
        for index in range(count)
    ]


def judged_jobs(faulty: int, normal: int) -> list[ArmJob]:
    """Recordings to judge: with faults down to where full precision misses them, then normal."""
    return [
        *(
            ArmJob(f'fault_{index}', _FAULTY_SEED + index, _JUDGED_S, _STRENGTH)
            for index in range(faulty)
        ),
        *(
            ArmJob(f'normal_{index}', _NORMAL_SEED + index, _JUDGED_S, None)
            for index in range(normal)
        ),
    ]


def arm_subject(
    train: Sequence[ArmRecording], judged: Sequence[ArmRecording], channels: tuple[str, ...]
) -> Subject:
    """The arm, from simulated recordings."""
    period_ns = round(NS_PER_S / ARM_RATE_HZ)
    return Subject(
        set_name=ARM,
        config=detector_config(channels, ARM_RATE_HZ, warmup_s=ARM_WARMUP_S),
        train=tuple(entry.recording for entry in train),
        cases=tuple(
            Case(
                name=entry.recording.name,
                recording=entry.recording,
                truths=entry.truths,
                labels=cover(
                    entry.recording.stamps_ns,
                    [(truth.onset_ns, truth.end_ns) for truth in entry.truths],
                    period_ns=period_ns,
                ),
                strengths=entry.strengths,
            )
            for entry in judged
        ),
    )


def dev_subjects(data: DataSet) -> tuple[Subject, ...]:
    """A detector for each training part of a set; series that share one share the detector."""
    return tuple(_dev_subject(data, group) for group in _by_training(data))


def _by_training(data: DataSet) -> Iterator[list[Series]]:
    for _, group in groupby(data.series, key=lambda series: id(series.train)):
        yield list(group)


def _dev_subject(data: DataSet, group: Sequence[Series]) -> Subject:
    first = group[0]
    channels = tuple(f'/series:c{column}' for column in range(first.test.values.shape[1]))
    warmup_s = 0.0 if first.continues else WARMUP_S
    config = detector_config(channels, first.rate_hz, warmup_s=warmup_s)
    return Subject(
        set_name=data.name,
        config=config,
        train=first.train,
        cases=tuple(_case(series, config.window.patch) for series in group),
    )


def _case(series: Series, patch: int) -> Case:
    before = _lead(series, patch)
    values = np.concatenate([before, series.test.values])
    recording = grid_recording(series.name, values, series.rate_hz)
    return Case(
        name=series.name,
        recording=recording,
        truths=truths_of(series.labels, recording.stamps_ns[len(before) :], series.rate_hz),
        labels=series.labels,
        lead=len(before),
    )


def _lead(series: Series, patch: int) -> Floats:
    """`[L, C]` the newest training rows, whole tokens without a break, if the series goes on."""
    if not series.continues:
        return series.test.values[:0]
    last = series.train[-1]
    rows = min(len(last.values) - last.starts[-1], LEAD_ROWS) // patch * patch
    return last.values[len(last.values) - rows :]


def truths_of(labels: Bools, stamps_ns: Ints, rate_hz: float) -> tuple[Truth, ...]:
    """Each run of labeled rows is an event.

    Args:
        labels: `[T]` whether a row is anomalous.
        stamps_ns: `[T]` their stamps.
        rate_hz: of the rows; the last one's cell ends a period after its stamp.
    """
    edges = np.flatnonzero(np.diff(labels, prepend=False, append=False))
    until = np.append(stamps_ns, stamps_ns[-1] + round(NS_PER_S / rate_hz))
    return tuple(
        Truth('anomaly', int(until[start]), int(until[end]))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )
