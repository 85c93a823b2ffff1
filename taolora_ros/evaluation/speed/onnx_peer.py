"""ONNX Runtime over a window, in FP32 and dynamically quantized to INT8, on one thread."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization import (
    QuantType,
    quantize_dynamic,
)

from taolora_ros.evaluation.speed.folded import Folded
from taolora_ros.evaluation.speed.onnx_graph import CORRECTION, ROWS, SKIP, window_graph
from taolora_ros.evaluation.speed.window_peer import WindowPeer
from taolora_ros.samples import Float32s


def onnx_peer(folded: Folded, *, tokens: int, int8: bool = False) -> WindowPeer:
    """The network over the last so many tokens.

    Args:
        folded: the network.
        tokens: of the window.
        int8: weights in INT8 per column, activations quantized at run time.
    """
    model = window_graph(folded, tokens)
    if int8:
        model = _quantized(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )

    def run(rows: Float32s) -> tuple[Float32s, Float32s]:
        skip, correction = session.run([SKIP, CORRECTION], {ROWS: rows})
        return skip, correction

    return WindowPeer(run, tokens=tokens, patch=folded.patch, inputs=folded.inputs)


def _quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        exact, rounded = Path(folder) / 'fp32.onnx', Path(folder) / 'int8.onnx'
        onnx.save(model, exact)
        with _without_advice():
            quantize_dynamic(exact, rounded, per_channel=True, weight_type=QuantType.QInt8)
        return onnx.load(rounded)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Without the advice to pre-process, which changed neither nodes nor times of this graph."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
