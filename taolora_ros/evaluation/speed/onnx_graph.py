"""The folded network over a window as one ONNX graph, for ONNX Runtime.

P rows a patch, I inputs a row, n tokens of the window, d features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from taolora_ros.evaluation.speed.folded import Affine, Folded, FoldedBlock
from taolora_ros.model.correction import RMS_FLOOR

ROWS, SKIP, CORRECTION = 'rows', 'skip', 'correction'
_OPSET, _IR_VERSION = 17, 8  # what every runtime of the last years reads


class _Builder:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f'constant{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def add(self, operation: str, *inputs: str, output: str = '', **attributes: Any) -> str:
        output = output or f'value{len(self.nodes)}'
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def affine(self, x: str, layer: Affine) -> str:
        product = self.add('MatMul', x, self.constant(layer.weight))
        return self.add('Add', product, self.constant(layer.bias))

    def rms(self, x: str) -> str:
        power = self.add('ReduceMean', self.add('Mul', x, x), axes=[-1], keepdims=1)
        level = self.add('Sqrt', self.add('Add', power, self.constant(np.array(RMS_FLOOR))))
        return self.add('Div', x, level)

    def gathered(self, x: str, index: npt.NDArray[np.int64], width: int) -> str:
        """Rows of these indices `[m, k]` side by side: `[m, k·width]`."""
        rows = self.add('Gather', x, self.constant(index), axis=0)
        return self.add('Reshape', rows, self.integers(index.shape[0], index.shape[1] * width))


def window_graph(folded: Folded, tokens: int) -> ModelProto:
    """The network over a window of n tokens: `rows` `[1 + n·P, I]` to `skip` and `correction`.

    Skip and head are computed of the newest token alone, which is all that a hop needs.
    """
    build = _Builder()
    patch, inputs, order = folded.patch, folded.inputs, folded.order
    count = 1 + tokens * patch
    past = count - patch - order + np.arange(patch)[:, None] + np.arange(order)
    skip = build.affine(build.gathered(ROWS, past, inputs), folded.skip)
    build.add('Identity', skip, output=SKIP)
    seen = np.arange(tokens)[:, None] * patch + np.arange(patch + 1)
    hidden = build.affine(build.gathered(ROWS, seen, inputs), folded.embed)
    for block in folded.blocks:
        hidden = _block(build, hidden, block, tokens)
    newest = build.add('Slice', hidden, build.integers(tokens - 1), build.integers(tokens))
    corrected = build.affine(build.rms(newest), folded.head)
    build.add('Reshape', corrected, build.integers(patch, inputs), output=CORRECTION)
    graph = helper.make_graph(
        build.nodes,
        'window',
        [helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, [count, inputs])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [patch, inputs])
            for name in (SKIP, CORRECTION)
        ],
        build.constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', _OPSET)], ir_version=_IR_VERSION
    )
    checker.check_model(model, full_check=True)
    return model


def _block(build: _Builder, hidden: str, block: FoldedBlock, tokens: int) -> str:
    past = (len(block.taps) - 1) * block.dilation
    seen = build.add('Pad', hidden, build.integers(past, 0, 0, 0))
    mixed = build.add('Mul', hidden, build.constant(block.taps[0]))
    for lag, taps in enumerate(block.taps[1:], start=1):
        first = past - lag * block.dilation
        lagged = build.add('Slice', seen, build.integers(first), build.integers(first + tokens))
        mixed = build.add('Add', mixed, build.add('Mul', lagged, build.constant(taps)))
    both = build.affine(build.rms(mixed), block.expand)
    middle = block.contract.weight.shape[0]
    gate, value = (
        build.add(
            'Slice', both, build.integers(low), build.integers(low + middle), build.integers(1)
        )
        for low in (0, middle)
    )
    swish = build.add('Mul', gate, build.add('Sigmoid', gate))
    gated = build.add('Mul', swish, value)
    return build.add('Add', mixed, build.affine(gated, block.contract))
