"""How far the outputs at a few bits are from those of FP32.

T rows of a segment, I inputs a row, P rows a patch, C channels, M rows of a layer, N outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taolora_ros.detection.watch import WatchModel
from taolora_ros.evaluation.quantizers.recording import Recorder, deviation, run
from taolora_ros.model.base import Precision
from taolora_ros.model.dual_path import BuildLayer, at_precision
from taolora_ros.model.relation import LAGS
from taolora_ros.samples import Bools, Float32s, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A segment on which outputs are compared."""

    rows: Float32s  # [T, I] re-based and scaled, T a multiple of P
    is_routed: Bools  # [T/P] the router's mask, which drives the arithmetic
    is_event: Bools  # [T/P] by which errors are told apart: something happens in the token


@dataclass(frozen=True, slots=True)
class Split:
    """A relative error on steady tokens and on those of events."""

    steady: float
    event: float


@dataclass(frozen=True, slots=True)
class OutputErrors:
    """Relative errors; `Comparison` defines them."""

    residual: Split
    whitened: Split
    departure: Split
    departure_whitened: Split
    layers: Mapping[str, Split]


@dataclass(frozen=True, slots=True, eq=False)
class _LayerProbe:
    """What one layer is given and gives in FP32."""

    inputs: Float32s  # [M, K]
    is_routed: Bools  # [M]
    is_event: Bools  # [M]
    outputs: Float32s  # [M, N]


class Comparison:
    """Compares any arithmetic with FP32 on the same segments.

    With Y the network's prediction, Y* that in FP32, X the rows and σ `[I]` the root mean square
    of X − Y* on steady tokens, over the rows of all steady tokens or of all event tokens:

        residual = ‖Y − Y*‖ / ‖X − Y*‖        whitened = ‖(Y − Y*) ⊘ σ‖ / ‖(X − Y*) ⊘ σ‖

    Y − Y* is the change of the prediction error X − Y, so this is its error relative to FP32.
    Norms are over all outputs (Frobenius). What every method carries exactly, a channel's last
    row and own past, is in Y and Y* alike and counts on neither side. `departure` is the same for
    the relation. A layer alone is given the inputs that it has in FP32, and its error is
    ‖Z − Z*‖ / ‖Z*‖ over its outputs; the skip's Z is what it adds to the part carried exactly.
    """

    def __init__(self, model: WatchModel, probes: Sequence[Probe]) -> None:
        """Run FP32 once.

        Args:
            model: what was trained, with its FP32 weights.
            probes: segments, with tokens of both kinds among them.
        """
        self._model = model
        self._probes = probes
        exact = at_precision(Precision.FP32, model.config.quantization.activation)
        routed, event = Recorder(model), Recorder(model)
        for probe in probes:  # the same twice: FP32 takes no notice of the mask
            run(model, event.build, probe.rows, probe.is_event)
        self._exact = [run(model, routed.build, probe.rows, probe.is_routed) for probe in probes]
        self._layers = {
            name: _LayerProbe(
                inputs=routed.inputs(name),
                is_routed=routed.mask(name),
                is_event=event.mask(name),
                outputs=exact(name, layer)(routed.inputs(name), routed.mask(name)),
            )
            for name, layer in model.layers().items()
        }
        pairs = list(zip(probes, self._exact, strict=True))
        steady = [self._rows(~probe.is_event) for probe in probes]
        self._residuals = [probe.rows - found.prediction for probe, found in pairs]
        self._departures = [
            probe.rows[:, : model.relation.channels] - found.related for probe, found in pairs
        ]
        self._residual_unit = deviation(_chosen(self._residuals, steady))
        self._departure_unit = deviation(
            _chosen(self._departures, [self._related(rows) for rows in steady])
        )

    def errors(self, build: BuildLayer) -> OutputErrors:
        """The errors of one arithmetic."""
        residual, whitened, departure, departure_whitened = (_Ratio() for _ in range(4))
        for index, (probe, exact) in enumerate(zip(self._probes, self._exact, strict=True)):
            found = run(self._model, build, probe.rows, probe.is_routed)
            event, steady = self._rows(probe.is_event), self._rows(~probe.is_event)
            change, whole = found.prediction - exact.prediction, self._residuals[index]
            residual.add(change, whole, steady, event)
            unit = self._residual_unit
            whitened.add(change / unit, whole / unit, steady, event)
            event, steady = self._related(event), self._related(steady)
            change, whole = found.related - exact.related, self._departures[index]
            departure.add(change, whole, steady, event)
            unit = self._departure_unit
            departure_whitened.add(change / unit, whole / unit, steady, event)
        return OutputErrors(
            residual=residual.split(),
            whitened=whitened.split(),
            departure=departure.split(),
            departure_whitened=departure_whitened.split(),
            layers={name: self._layer_error(name, build) for name in self._layers},
        )

    def _layer_error(self, name: str, build: BuildLayer) -> Split:
        probe, layer = self._layers[name], self._model.layers()[name]
        found = build(name, layer)(probe.inputs, probe.is_routed)
        ratio = _Ratio()
        ratio.add(found - probe.outputs, probe.outputs, ~probe.is_event, probe.is_event)
        return ratio.split()

    def _rows(self, tokens: Bools) -> Bools:
        return np.repeat(tokens, self._model.config.window.patch)

    def _related(self, rows: Bools) -> Bools:
        """Those of the rows that the relation can tell."""
        told = rows.copy()
        told[: LAGS[-1]] = False
        return told


class _Ratio:
    """Sums of squares of a change and of what it is relative to."""

    def __init__(self) -> None:
        self._sums = np.zeros((2, 2))  # steady and event; change and whole

    def add(
        self, change: Floats | Float32s, whole: Floats | Float32s, steady: Bools, event: Bools
    ) -> None:
        """Take the rows of one segment."""
        for place, rows in enumerate((steady, event)):
            for part, values in enumerate((change, whole)):
                self._sums[place, part] += float((values[rows].astype(np.float64) ** 2).sum())

    def split(self) -> Split:
        """The ratios of the norms; 0 where there was nothing."""
        ratios = np.sqrt(self._sums[:, 0] / np.maximum(self._sums[:, 1], 1e-30))
        return Split(float(ratios[0]), float(ratios[1]))


def _chosen(parts: Sequence[Float32s], rows: Sequence[Bools]) -> Float32s:
    return np.concatenate([part[chosen] for part, chosen in zip(parts, rows, strict=True)])
