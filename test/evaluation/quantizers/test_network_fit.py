from __future__ import annotations

from collections.abc import Callable

from taolora_ros.engine import DetectorModel
from taolora_ros.evaluation.quantizers.catalog import QUANTIZERS
from taolora_ros.evaluation.quantizers.network_fit import fit_network
from taolora_ros.evaluation.quantizers.probes import normal_segments
from taolora_ros.evaluation.quantizers.recording import calibrations
from taolora_ros.samples import Recording


def test_every_layer_is_fitted_and_all_bytes_count(
    rotor_model: DetectorModel, make_rotor: Callable[[float, int], Recording]
) -> None:
    model = rotor_model.watch
    seen = calibrations(model, normal_segments(model, [make_rotor(8.0, 91)]))
    ours = fit_network(QUANTIZERS['tao_lora'], model, seen)
    assert ours.bytes == model.packed_bytes
    skip = model.network.skip
    assert ours.exact_bytes == 2 * skip.spread.size + skip.own.nbytes
    full = fit_network(QUANTIZERS['fp32'], model, seen)
    layers = model.layers().values()
    assert full.bytes == ours.exact_bytes + 4 * sum(layer.numbers for layer in layers)
    assert full.build('relation', model.relation.linear) is full.layers['relation']
