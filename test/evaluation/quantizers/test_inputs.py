from __future__ import annotations

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.inputs import Inputs, rounding, to_int4

ROW = np.array([[7.0, -2.4, 0.6, 0.0, 70.0, 4.0, -16.0, 5.1]], np.float32)  # two groups of four


def test_fp16_keeps_eleven_bits() -> None:
    found = rounding(Inputs.FP16, inputs_count=8, group=4)(np.float32([[1.0 + 2.0**-12, 3.0]]))
    np.testing.assert_array_equal(found, [[1.0, 3.0]])


def test_each_token_and_group_has_its_own_scale() -> None:
    found = rounding(Inputs.INT4, inputs_count=8, group=4)(ROW)
    np.testing.assert_allclose(found, [[7, -2, 1, 0, 70, 0, -20, 10]], rtol=1e-6)


def test_a_static_scale_clips() -> None:
    found = to_int4(np.float32([0.5, 2.0]), Activation.STATIC)(ROW)
    np.testing.assert_allclose(found, [[3.5, -2.5, 0.5, 0, 14, 4, -14, 6]])
