"""The ways of quantization by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from taolora_ros.config import Activation
from taolora_ros.evaluation.quantizers.error_reconstruction import ErrorReconstruction, Scaling
from taolora_ros.evaluation.quantizers.full_precision import FullPrecision
from taolora_ros.evaluation.quantizers.inputs import Inputs
from taolora_ros.evaluation.quantizers.loftq import LoftQ
from taolora_ros.evaluation.quantizers.plain_int4 import PlainInt4
from taolora_ros.evaluation.quantizers.qlora import QLora
from taolora_ros.evaluation.quantizers.quantizer import Quantizer
from taolora_ros.evaluation.quantizers.r_sparse import RSparse
from taolora_ros.evaluation.quantizers.svdquant import SvdQuant
from taolora_ros.evaluation.quantizers.tao_lora import TaoLora
from taolora_ros.model.base import Precision

# Without a suffix, a weight-only method takes FP16 inputs, as it was published; with `_a4` it
# multiplies 4 bits by 4 bits, as TAO-LoRA does.
QUANTIZERS: Mapping[str, Quantizer] = {
    'fp32': FullPrecision(np.float32),
    'fp16': FullPrecision(np.float16),
    'w4a4_static': PlainInt4(Activation.STATIC),
    'w4a4_token': PlainInt4(Activation.PER_TOKEN),
    'w4a4_group': PlainInt4(Activation.PER_GROUP),
    'qlora': QLora(Inputs.FP16),
    'qlora_a4': QLora(Inputs.INT4),
    'loftq': LoftQ(Inputs.FP16),
    'loftq_a4': LoftQ(Inputs.INT4),
    'r_sparse': RSparse(is_int4=False, inputs=Inputs.FP16),
    'r_sparse_w4': RSparse(is_int4=True, inputs=Inputs.FP16),
    'r_sparse_a4': RSparse(is_int4=True, inputs=Inputs.INT4),
    'lqer': ErrorReconstruction(Scaling.MEAN, Inputs.FP16),
    'lqer_a4': ErrorReconstruction(Scaling.MEAN, Inputs.INT4),
    'qera': ErrorReconstruction(Scaling.AUTOCORRELATION, Inputs.FP16),
    'qera_a4': ErrorReconstruction(Scaling.AUTOCORRELATION, Inputs.INT4),
    'svdquant': SvdQuant(),
    'tao_lora_never': TaoLora(Precision.INT4_NEVER),
    'tao_lora_always': TaoLora(Precision.INT4_ALWAYS),
    'tao_lora': TaoLora(Precision.INT4_ROUTED),
}
