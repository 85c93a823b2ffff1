"""A roofline: how long a hop can take at least, from public figures. An estimate, not measured.

    t = launches · t₀ + max(bytes / β, operations / θ)
    β = n·64·f, where all that the GPU holds stays in L2; else the lesser of that and the memory's
    θ = n·o·f

n multiprocessors that work, f their clock, 64 bytes a clock from L2 to each of them, o dense INT8
operations of each a clock, t₀ cost of a launch.

A product is counted with its rows padded to the 8 of a tensor core's tile (mma.m16n8k32: 16
outputs by 8 rows), two operations a multiplication; A and B are in FP16, at half the rate, so
their operations count twice. Left out are synchronization between layers, which can only be
measured, and the reading of activations, which pass from layer to layer through L1 and L2.

M rows, K inputs, N outputs, R rank, S streams, P rows a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

from taolora_ros.detection.watch import WatchModel
from taolora_ros.hardware.buffers import Place
from taolora_ros.hardware.gpu_buffers import gpu_buffers

TILE_ROWS = 8  # of a tensor core's product
L2_PATH_BYTES = 64  # a clock, from L2 to one multiprocessor; as other Ampere GPUs have it
LAUNCH_S = 10e-6  # t₀; assumed: NVIDIA publishes none for Orin


@dataclass(frozen=True, slots=True)
class Board:
    """What a maker says of a GPU."""

    name: str
    multiprocessors: int
    clock_hz: float
    bandwidth: float  # of its memory, bytes/s
    l2_bytes: int
    int8_operations: int  # dense, of one multiprocessor a clock
    source: str

    @property
    def int8_tops(self) -> float:
        """Dense INT8 throughput in 10¹² operations a second."""
        return self.multiprocessors * self.int8_operations * self.clock_hz / 1e12


# 4 tensor cores a multiprocessor, 512 INT8 multiplications each a clock. The data sheet's 40 TOPS
# count pruned weights (2 of 4) twice; dense, it is half.
ORIN_NANO = Board(
    name='Jetson Orin Nano 8GB, 15 W',
    multiprocessors=8,
    clock_hz=625e6,
    bandwidth=68e9,
    l2_bytes=2 * 2**20,
    int8_operations=4096,
    source='NVIDIA, Jetson Orin Nano Series Data Sheet, DS-11105-001 (1024 CUDA cores, 32 tensor '
    'cores, 625 MHz, 40 sparse INT8 TOPS, 68 GB/s); L2 as deviceQuery reports it',
)
ORIN_NANO_SUPER = Board(
    name='Jetson Orin Nano 8GB, 25 W (Super)',
    multiprocessors=8,
    clock_hz=1020e6,
    bandwidth=102e9,
    l2_bytes=2 * 2**20,
    int8_operations=4096,
    source='NVIDIA, "Jetson Orin Nano Developer Kit Gets a Super Boost", 2024 (1020 MHz, 67 '
    'sparse INT8 TOPS, 102 GB/s); L2 as deviceQuery reports it',
)


@dataclass(frozen=True, slots=True)
class HopEstimate:
    """An estimate of one hop: t = launch_s + max(memory_s, compute_s).

    launch_s = launches · t₀, memory_s = bytes_read / β, compute_s = operations / θ; the module's
    docstring says what β, θ and t₀ are. What is left out makes the real hop longer.
    """

    board: Board
    streams: int  # that one hop serves
    multiprocessors: int  # that work on it
    is_transient: bool  # whether all streams take the FP16 path
    bytes_read: int  # weights once, states of every stream
    operations: int  # INT8, padded
    launches: int
    is_l2_resident: bool  # whether weights, states and scratch fit into L2
    launch_s: float
    memory_s: float
    compute_s: float

    @property
    def time_s(self) -> float:
        """The least time of the hop."""
        return self.launch_s + max(self.memory_s, self.compute_s)


def estimate_hop(
    model: WatchModel,
    board: Board = ORIN_NANO,
    *,
    streams: int = 1,
    multiprocessors: int | None = None,
    is_transient: bool = False,
    launches: int = 1,
) -> HopEstimate:
    """Estimate a hop of the GPU engine.

    Args:
        model: the trained detector.
        board: where it would run.
        streams: S, sensors watched at once with the same model.
        multiprocessors: how many work; all of the board's by default.
        is_transient: whether every stream takes the FP16 path.
        launches: kernels (or graphs) launched a hop.
    """
    working = min(multiprocessors or board.multiprocessors, board.multiprocessors)
    buffers = [
        buffer for buffer in gpu_buffers(model, streams=streams) if buffer.place is Place.GPU
    ]
    bytes_read = sum(buffer.steady_bytes for buffer in buffers)
    if is_transient:
        bytes_read += sum(buffer.fp16_bytes for buffer in buffers)
    held = sum(buffer.bytes for buffer in buffers)
    operations = hop_operations(model, streams=streams, is_transient=is_transient)
    bandwidth = working * L2_PATH_BYTES * board.clock_hz
    if not (is_resident := held <= board.l2_bytes):
        bandwidth = min(bandwidth, board.bandwidth)
    return HopEstimate(
        board=board,
        streams=streams,
        multiprocessors=working,
        is_transient=is_transient,
        bytes_read=bytes_read,
        operations=operations,
        launches=launches,
        is_l2_resident=is_resident,
        launch_s=launches * LAUNCH_S,
        memory_s=bytes_read / bandwidth,
        compute_s=operations / (working * board.int8_operations * board.clock_hz),
    )


def hop_operations(model: WatchModel, *, streams: int = 1, is_transient: bool = False) -> int:
    """INT8 operations of a hop: 2·M·K·N a layer, and 4·M·R·(K + N) for A and B.

    M is S for the layers of the correction and S·P for the others, padded to the tile.
    """
    total = 0
    for name, layer in model.layers().items():
        rows = streams * (1 if name.startswith('correction.') else model.config.window.patch)
        rows = -(-rows // TILE_ROWS) * TILE_ROWS
        total += 2 * rows * layer.inputs * layer.outputs
        if is_transient:
            total += 4 * rows * layer.low_rank.rank * (layer.inputs + layer.outputs)
    return total
