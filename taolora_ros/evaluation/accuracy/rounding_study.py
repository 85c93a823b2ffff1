"""All ways of quantization: errors of the outputs, and events found at equal false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taolora_ros.config import DetectionConfig
from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.equal_alarms import at_equal_alarms
from taolora_ros.evaluation.accuracy.peers import thinned
from taolora_ros.evaluation.accuracy.rounding import (
    Rounded,
    calibrate_layers,
    output_errors,
    rounded_runs,
)
from taolora_ros.evaluation.accuracy.settings import Scale
from taolora_ros.evaluation.accuracy.subjects import ARM, Subject
from taolora_ros.evaluation.accuracy.workers import Workers
from taolora_ros.evaluation.quantizers.catalog import QUANTIZERS
from taolora_ros.evaluation.runs import RunResult

REFERENCE = 'fp32'
_COMPARED = {'rosa': 1, 'skab': 3}  # detectors of each set whose outputs are compared


@dataclass(frozen=True, slots=True, eq=False)
class ArmRounded:
    """Events of the arm that a way of quantization finds at the reference's false alarms."""

    bytes: int
    events: int
    found: tuple[int, ...]  # one a recording
    false_alarms: int
    own_found: int  # at the detector's own threshold
    own_false_alarms: int


@dataclass(frozen=True, slots=True, eq=False)
class RoundingFindings:
    """By way of quantization."""

    errors: Mapping[str, Mapping[str, tuple[Rounded, ...]]]  # by set, then way; one a detector
    arm: Mapping[str, ArmRounded]


def measure_rounding(
    subjects: Sequence[Subject],
    models: Sequence[DetectorModel],
    scale: Scale,
    workers: Workers,
) -> RoundingFindings:
    """Compare all ways on the same trained detectors."""
    methods = scale.quantizers or tuple(QUANTIZERS)
    pairs = list(zip(subjects, models, strict=True))
    errors = {
        name: _errors(
            [pair for pair in pairs if pair[0].set_name == name][:count], methods, scale, workers
        )
        for name, count in _COMPARED.items()
        if any(subject.set_name == name for subject in subjects)
    }
    arm = {}
    for subject, model in pairs:
        if subject.set_name == ARM:
            arm = _arm(subject, model, methods, scale, workers)
    return RoundingFindings(errors, arm)


def _errors(
    pairs: Sequence[tuple[Subject, DetectorModel]],
    methods: Sequence[str],
    scale: Scale,
    workers: Workers,
) -> dict[str, tuple[Rounded, ...]]:
    halves = [part for part in (methods[::2], methods[1::2]) if part]
    jobs = []
    for subject, model in pairs:
        most = scale.rounded_series or len(subject.cases)
        jobs += [(model, thinned(subject, most), part) for part in halves]
    found: dict[str, list[Rounded]] = {method: [] for method in methods}
    for rounded in workers.map('output errors', output_errors, jobs):
        for method, figures in rounded.items():
            found[method].append(figures)
    return {method: tuple(figures) for method, figures in found.items()}


def _arm(
    subject: Subject,
    model: DetectorModel,
    methods: Sequence[str],
    scale: Scale,
    workers: Workers,
) -> dict[str, ArmRounded]:
    faulty = [case for case in subject.cases if case.truths][: scale.rounded_faulty]
    normal = [case for case in subject.cases if not case.truths][: scale.rounded_normal]
    (learned,) = workers.map('calibrating layers', calibrate_layers, [(model, subject)])
    cases = (*faulty, *normal)
    jobs = [(model, method, learned, cases) for method in methods]
    runs = dict(zip(methods, workers.map('quantized arm', rounded_runs, jobs), strict=True))
    allowed = _false_alarms(runs[REFERENCE][1])
    settings = model.config.detection
    return {
        method: _arm_figures(size, results, allowed, settings)
        for method, (size, results) in runs.items()
    }


def _arm_figures(
    size: int, own: Sequence[RunResult], allowed: int, settings: DetectionConfig
) -> ArmRounded:
    equal = at_equal_alarms(own, allowed, settings)
    return ArmRounded(
        bytes=size,
        events=sum(result.events or 0 for result in own),
        found=tuple(result.events_found or 0 for result in equal),
        false_alarms=_false_alarms(equal),
        own_found=sum(result.events_found or 0 for result in own),
        own_false_alarms=_false_alarms(own),
    )


def _false_alarms(results: Sequence[RunResult]) -> int:
    return sum(result.false_alarms or 0 for result in results)
