"""Ways of quantization on the same trained detector: jobs for processes of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.accuracy.settings import SEED, TOLERANCE_S
from taolora_ros.evaluation.accuracy.streaming import stream
from taolora_ros.evaluation.accuracy.subjects import Case, Subject
from taolora_ros.evaluation.datasets.series import Series
from taolora_ros.evaluation.quantizers.catalog import QUANTIZERS
from taolora_ros.evaluation.quantizers.network_fit import FittedNetwork, fit_network
from taolora_ros.evaluation.quantizers.output_errors import Comparison, Split
from taolora_ros.evaluation.quantizers.probes import normal_segments, probe
from taolora_ros.evaluation.quantizers.quantizer import Calibration
from taolora_ros.evaluation.quantizers.recording import calibrations
from taolora_ros.evaluation.runs import RunResult, judge
from taolora_ros.samples import Recording

Calibrations = Mapping[str, Calibration]


@dataclass(frozen=True, slots=True)
class Rounded:
    """One way of quantization on one detector: bytes, and errors of the outputs."""

    bytes: int
    residual: Split  # error of the prediction error, relative to FP32
    whitened: Split  # the same with every channel in units of its own residual
    departure: Split  # error of the departure from the relation
    layers: Mapping[str, Split]


def calibrate_layers(model: DetectorModel, subject: Subject) -> Calibrations:
    """What every way of quantization may learn from."""
    return calibrations(model.watch, normal_segments(model.watch, subject.train), seed=SEED)


def output_errors(
    model: DetectorModel, subject: Subject, methods: Sequence[str]
) -> dict[str, Rounded]:
    """Errors of several ways on the recordings of a subject that have events."""
    learned = calibrate_layers(model, subject)
    probes = [
        probe(model.watch, _series(case, subject)) for case in subject.cases if case.labels.any()
    ]
    comparison = Comparison(model.watch, probes)
    rounded = {}
    for method in methods:
        fitted = _fit(model, method, learned)
        errors = comparison.errors(fitted.build)
        rounded[method] = Rounded(
            fitted.bytes, errors.residual, errors.whitened, errors.departure, errors.layers
        )
    return rounded


def rounded_runs(
    model: DetectorModel, method: str, learned: Calibrations, cases: Sequence[Case]
) -> tuple[int, tuple[RunResult, ...]]:
    """Bytes of a way of quantization, and what the detector then says of each recording."""
    fitted = _fit(model, method, learned)
    results = []
    for case in cases:
        trace = stream(model, case, fitted.build).trace
        results.append(judge(case.name, trace, case.truths, tolerance_s=TOLERANCE_S))
    return fitted.bytes, tuple(results)


def _fit(model: DetectorModel, method: str, learned: Calibrations) -> FittedNetwork:
    return fit_network(QUANTIZERS[method], model.watch, learned)


def _series(case: Case, subject: Subject) -> Series:
    """The rows after the lead as a series that begins anew."""
    recording = case.recording
    return Series(
        name=case.name,
        train=subject.train,
        test=Recording(
            recording.name,
            recording.stamps_ns[case.lead :],
            recording.values[case.lead :],
            recording.peaks[case.lead :],
        ),
        labels=case.labels,
        continues=False,
        rate_hz=subject.config.ingest.sample_rate_hz,
    )
