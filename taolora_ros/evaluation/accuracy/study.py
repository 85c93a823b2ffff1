"""The whole measurement: sets, detectors, verdicts, baselines, ways of quantization."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from taolora_ros.engine import DetectorModel
from taolora_ros.errors import InputError
from taolora_ros.evaluation.accuracy.correction import Correction, measure_correction
from taolora_ros.evaluation.accuracy.equal_alarms import at_equal_alarms
from taolora_ros.evaluation.accuracy.peers import peer_volumes, rebased, thinned
from taolora_ros.evaluation.accuracy.rounding_study import RoundingFindings, measure_rounding
from taolora_ros.evaluation.accuracy.settings import Scale
from taolora_ros.evaluation.accuracy.subjects import (
    ARM,
    ArmJob,
    ArmRecording,
    Case,
    Subject,
    arm_subject,
    dev_subjects,
    judged_jobs,
    training_jobs,
)
from taolora_ros.evaluation.accuracy.verdicts import Verdict, judge_case
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.evaluation.baselines.catalog import BASELINES
from taolora_ros.evaluation.datasets.dev import read_dev
from taolora_ros.evaluation.runs import RunResult
from taolora_ros.model.base import Precision
from taolora_ros.training.trainer import train

SETS = ('rosa', 'skab', 'nab', 'ur3', ARM)
RECORDED = 'rosa_recorded'
"""RoSA as it was recorded, which the baselines see beside the re-based one."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to measure."""

    scale: Scale
    sets: tuple[str, ...]
    data: Path  # folder of the development sets
    record_arm: Callable[[ArmJob], ArmRecording]  # at the top of a module
    arm_channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SetFindings:
    """One set: its detectors, and the verdicts in the same order of recordings."""

    name: str
    models: tuple[DetectorModel, ...]
    routed: tuple[Verdict, ...]
    fp32: tuple[Verdict, ...]  # at the detector's own threshold
    moved: tuple[RunResult, ...]  # routed at equal false alarms on the arm, else as it is
    reference: tuple[RunResult, ...]  # FP32 in the same way


@dataclass(frozen=True, eq=False)
class Findings:
    """All that was measured."""

    sets: Mapping[str, SetFindings]
    peers: Mapping[str, Mapping[str, Mapping[str, float]]]  # VUS-PR by set, baseline, recording
    rounding: RoundingFindings
    correction: Mapping[str, Correction]  # by set
    skipped: Mapping[str, str]  # what was left out, and why
    seconds: Mapping[str, float] = field(default_factory=dict)  # by phase


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began


def run_study(request: Request, workers: Workers) -> Findings:
    """Measure everything from scratch.

    Raises:
        CalibrationError: a set is too short to train on.
    """
    seconds: dict[str, float] = {}
    skipped: dict[str, str] = {}
    with _timed(seconds, 'recordings'):
        subjects = [*_arm(request, workers), *_dev(request, skipped)]
    with _timed(seconds, 'training'):
        models = workers.map('training', train_subject, [(subject,) for subject in subjects])
    with _timed(seconds, 'verdicts'):
        sets = _judge(subjects, models, workers)
    with _timed(seconds, 'baselines'):
        peers = _peers(subjects, request.scale, workers)
    with _timed(seconds, 'quantization'):
        rounding = measure_rounding(subjects, models, request.scale, workers)
    correction: Mapping[str, Correction] = {}
    if request.scale.has_correction:
        with _timed(seconds, 'correction'):
            correction = measure_correction(
                subjects, {name: found.routed for name, found in sets.items()}, workers
            )
    else:
        skipped['correction'] = 'left out by --quick'
    labeled = [v for found in sets.values() for v in found.routed if v.vus_pr is not None]
    if labeled and all(verdict.ranges is None for verdict in labeled):
        skipped['range'] = "range metrics need aeon: pip install 'taolora_ros[bench]'"
    return Findings(sets, peers, rounding, correction, skipped, seconds)


def train_subject(subject: Subject) -> DetectorModel:
    """A job: train one detector."""
    channels = subject.config.channels
    return train(subject.train, channels, subject.config, progress=lambda stage, share: None)


def _arm(request: Request, workers: Workers) -> list[Subject]:
    if ARM not in request.sets:
        return []
    scale = request.scale
    jobs = [
        *training_jobs(scale.arm_training),
        *judged_jobs(scale.arm_faulty, scale.arm_normal),
    ]
    recorded = workers.map('simulating', request.record_arm, [(job,) for job in jobs])
    normal, judged = recorded[: scale.arm_training], recorded[scale.arm_training :]
    return [arm_subject(normal, judged, request.arm_channels)]


def _dev(request: Request, skipped: dict[str, str]) -> list[Subject]:
    subjects: list[Subject] = []
    for name in request.sets:
        if name == ARM:
            continue
        try:
            subjects += dev_subjects(read_dev(request.data, name))
        except InputError as error:
            skipped[name] = str(error)
    return subjects


def _judge(
    subjects: Sequence[Subject], models: Sequence[DetectorModel], workers: Workers
) -> dict[str, SetFindings]:
    verdicts: dict[Precision, dict[str, list[Verdict]]] = {}
    for precision in (Precision.INT4_ROUTED, Precision.FP32):
        pairs = [
            (subject, model, case)
            for subject, model in zip(subjects, models, strict=True)
            for case in subject.cases
        ]
        judged = workers.map(
            f'judging {precision.value}',
            _judge_job,
            [(model, case, precision) for _, model, case in pairs],
        )
        by_set: dict[str, list[Verdict]] = {}
        for (subject, _, _), verdict in zip(pairs, judged, strict=True):
            by_set.setdefault(subject.set_name, []).append(verdict)
        verdicts[precision] = by_set
    found = {}
    for name, routed in verdicts[Precision.INT4_ROUTED].items():
        fp32 = verdicts[Precision.FP32][name]
        owned = [
            model
            for subject, model in zip(subjects, models, strict=True)
            if subject.set_name == name
        ]
        reference = tuple(verdict.result for verdict in fp32)
        moved = tuple(verdict.result for verdict in routed)
        if name == ARM:
            allowed = max(
                sum(result.false_alarms or 0 for result in results)
                for results in (moved, reference)
            )
            settings = owned[0].config.detection
            reference = at_equal_alarms(reference, allowed, settings)
            moved = at_equal_alarms(moved, allowed, settings)
        found[name] = SetFindings(
            name=name,
            models=tuple(owned),
            routed=tuple(routed),
            fp32=tuple(fp32),
            moved=moved,
            reference=reference,
        )
    return found


def _judge_job(model: DetectorModel, case: Case, precision: Precision) -> Verdict:
    return judge_case(model, case, precision, with_parts=precision is Precision.INT4_ROUTED)


def _peers(
    subjects: Sequence[Subject], scale: Scale, workers: Workers
) -> dict[str, dict[str, dict[str, float]]]:
    variants: list[tuple[str, Subject]] = []
    for subject in subjects:
        if subject.set_name == ARM:
            variants.append((ARM, thinned(subject, scale.peer_recordings)))
        elif subject.set_name == 'rosa':
            variants += [('rosa', rebased(subject)), (RECORDED, subject)]
        else:
            variants.append((subject.set_name, subject))
    jobs = [(variant, name) for _, variant in variants for name in BASELINES]
    titles = [(title, name) for title, _ in variants for name in BASELINES]
    volumes: dict[str, dict[str, dict[str, float]]] = {}
    scored = workers.map('baselines', peer_volumes, jobs)
    for (title, name), by_recording in zip(titles, scored, strict=True):
        volumes.setdefault(title, {}).setdefault(name, {}).update(by_recording)
    return volumes
