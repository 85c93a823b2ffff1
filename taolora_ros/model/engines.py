"""Who steps the network: the CPU, compiled, or the GPU with the CPU behind it.

P rows a patch, I inputs a row, C channels.
"""

from __future__ import annotations

import numpy as np

from taolora_ros.config import Device
from taolora_ros.model.compiled import CompiledNetwork, stream_operands
from taolora_ros.model.fallback import Fallback, HopEngine, settling_hops
from taolora_ros.model.network import NetworkWeights
from taolora_ros.model.relation import RelationWeights
from taolora_ros.model.skip import SteadyClip
from taolora_ros.samples import Float32s


def hop_engine(network: NetworkWeights, relation: RelationWeights, device: Device) -> HopEngine:
    """The engine of routed TAO-LoRA on a device, ready to run.

    A GPU that can't be brought up, or fails later, is replaced by the CPU.

    Args:
        network: the network.
        relation: beside it.
        device: CPU or CUDA, as `hardware.device.resolve` chose.
    """
    spare = CompiledNetwork(network, relation)
    if device is not Device.CUDA:
        return spare
    return Fallback(
        lambda: GpuNetwork(network, relation), spare, hops=settling_hops(network.config)
    )


class GpuNetwork:
    """One stream on the GPU, as `CompiledNetwork`; the clip share is counted on the host."""

    def __init__(
        self, weights: NetworkWeights, relation: RelationWeights, *, device: str = 'cuda'
    ) -> None:
        """Compile and bring everything to the device.

        Args:
            weights: the network.
            relation: beside it.
            device: of torch; `cpu` runs in Triton's interpreter.

        Raises:
            DeviceError: the device fails.
        """
        # torch and Triton take seconds and hundreds of MB: only where there is a GPU for them
        from taolora_ros.kernels.stream_step.gpu import GpuStreams

        self._streams = GpuStreams(stream_operands(weights, relation), streams=1, device=device)
        self._clip = SteadyClip(weights.skip, order=weights.config.model.order)
        self._last: Float32s | None = None  # [I] the newest row

    def reset(self) -> None:
        """Forget the past: the next patch starts a segment."""
        self._streams.reset()
        self._last = None

    def clip_share(self, patch: Float32s) -> float:
        """Share of the activations that the patch `[P, I]` adds beyond the steady INT4 clip."""
        return self._clip.share(patch, self._last)

    def step(self, patch: Float32s, is_transient: bool) -> Float32s:
        """Predict one patch from what came before each of its rows, then remember it.

        Args:
            patch: `[P, I]` float32, re-based and scaled, finite.
            is_transient: whether the token takes the FP16 path as well.

        Returns:
            `[P, I]` float32.

        Raises:
            DeviceError: the device fails.
        """
        self._streams.step(patch[None], np.array([is_transient]))
        self._last = patch[-1].copy()
        prediction: Float32s = self._streams.prediction[0].copy()
        return prediction

    @property
    def departure(self) -> Float32s:
        """What the patch taken last departs from the relation, `[P, C]`."""
        departure: Float32s = self._streams.departure[0].copy()
        return departure
