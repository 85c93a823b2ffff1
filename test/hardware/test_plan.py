from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from taolora_ros.config import Config, Device, overlay
from taolora_ros.detection.watch import Watch, WatchModel
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.buffers import Buffer, Part, Place
from taolora_ros.hardware.cpu_buffers import cpu_buffers
from taolora_ros.hardware.gpu_buffers import gpu_buffers
from taolora_ros.hardware.plan import MemoryPlan, Traffic, plan_memory
from taolora_ros.hardware.probe import Machine
from taolora_ros.kernels.stream_step import plan as layout
from taolora_ros.model.compiled import CompiledStreams, stream_operands
from taolora_ros.model.dual_path import DualPathWeights
from taolora_ros.preservation.buffer import ROW_BYTES
from taolora_ros.quantization.low_rank import LowRank

# The detector: C = I = 3, order 6, patch 4, width 32, expansion 2, 2 blocks of 3 taps, rank 2.
# Layers, K × N: skip 64 × 3, embed 64 × 32, expand 32 × 128, contract 64 × 32, head 32 × 12,
# relation 32 × 3.


@pytest.fixture(params=[Device.CPU, Device.CUDA], ids=['cpu', 'cuda'])
def plan(request: pytest.FixtureRequest, detector: DetectorModel) -> MemoryPlan:
    return plan_memory(detector, detector.config, request.param, queue=100)


def _shaped(watch: WatchModel, *, rank: int, has_correction: bool) -> WatchModel:
    """The same network with all layers of a rank, and with or without its correction."""

    def ranked(layer: DualPathWeights) -> DualPathWeights:
        low_rank = LowRank(
            np.zeros((layer.inputs, rank), np.float16), np.zeros((rank, layer.outputs), np.float16)
        )
        return dataclasses.replace(layer, low_rank=low_rank)

    skip = dataclasses.replace(watch.network.skip, linear=ranked(watch.network.skip.linear))
    correction = watch.network.correction if has_correction else None
    if correction is not None:
        blocks = tuple(
            dataclasses.replace(
                block, expand=ranked(block.expand), contract=ranked(block.contract)
            )
            for block in correction.blocks
        )
        correction = dataclasses.replace(
            correction,
            embed=ranked(correction.embed),
            blocks=blocks,
            head=ranked(correction.head),
        )
    return dataclasses.replace(
        watch,
        network=dataclasses.replace(watch.network, skip=skip, correction=correction),
        relation=dataclasses.replace(watch.relation, linear=ranked(watch.relation.linear)),
    )


def _arrays(record: object) -> list[np.ndarray]:
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    return [getattr(record, field.name) for field in fields]


def _named(plan: MemoryPlan, name: str) -> Buffer:
    (buffer,) = {buffer for buffer in plan.buffers if buffer.name == name}
    return buffer


def _matching(plan: MemoryPlan, part: Part, place: Place) -> Iterator[Buffer]:
    return (buffer for buffer in plan.buffers if (buffer.part, buffer.place) == (part, place))


def test_a_buffer_is_as_large_as_its_shape_says() -> None:
    buffer = Buffer(name='rings', part=Part.STATE, shape=(6, 32), dtype='float32')
    assert buffer.bytes == 6 * 32 * 4


def test_names_are_unique_in_each_place_and_sizes_positive(plan: MemoryPlan) -> None:
    places = [(buffer.name, buffer.place) for buffer in plan.buffers]
    assert len(set(places)) == len(places)
    assert all(buffer.bytes > 0 for buffer in plan.buffers)
    assert all(buffer.steady_bytes + buffer.fp16_bytes <= buffer.bytes for buffer in plan.buffers)


def test_packed_weights_are_those_of_the_artifact(detector: DetectorModel) -> None:
    plan = plan_memory(detector, detector.config, Device.CPU)
    packed = sum(buffer.bytes for buffer in _matching(plan, Part.WEIGHTS, Place.HOST))
    assert packed == detector.watch.packed_bytes


def test_both_engines_read_codes_two_a_byte(detector: DetectorModel) -> None:
    on_cpu = plan_memory(detector, detector.config, Device.CPU)
    on_gpu = plan_memory(detector, detector.config, Device.CUDA)
    codes = _named(on_cpu, 'correction.block0.expand.operands.codes')
    assert (codes.shape, codes.dtype, codes.steady_bytes) == ((16 * 128,), 'uint8', 16 * 128)
    (packed,) = (
        buffer
        for buffer in _matching(on_gpu, Part.WEIGHTS, Place.GPU)
        if buffer.name == 'correction.block0.expand.packed'
    )
    assert (packed.shape, packed.steady_bytes) == ((16, 128), 16 * 128)


def test_beside_the_gpu_s_engine_the_cpu_s_waits_whole(detector: DetectorModel) -> None:
    on_cpu = plan_memory(detector, detector.config, Device.CPU)
    on_gpu = plan_memory(detector, detector.config, Device.CUDA)
    spare = [dataclasses.replace(b, is_spare=False) for b in on_gpu.buffers if b.is_spare]
    assert set(spare) <= set(on_cpu.buffers)
    assert {buffer.part for buffer in spare} == {
        Part.OPERANDS,
        Part.STATE,
        Part.SCRATCH,
        Part.EXCHANGE,
    }
    assert not any(buffer.is_spare for buffer in on_cpu.buffers)
    assert on_gpu.spare_traffic == on_cpu.traffic
    assert on_cpu.spare_traffic == Traffic(0, 0)


def test_low_rank_weights_are_read_where_the_mask_is_on(plan: MemoryPlan) -> None:
    low_rank = [
        b for b in plan.buffers if b.name.rpartition('.')[2] in ('down', 'up') and not b.is_spare
    ]
    assert all(buffer.steady_bytes == 0 for buffer in low_rank)
    extra = sum(buffer.fp16_bytes for buffer in low_rank)
    assert plan.traffic.transient_bytes - plan.traffic.steady_bytes == extra > 0


@pytest.mark.parametrize('rank', [0, 2])
@pytest.mark.parametrize('has_correction', [True, False])
def test_the_cpu_s_buffers_are_those_of_its_engine(
    detector: DetectorModel, rank: int, has_correction: bool
) -> None:
    watch = _shaped(detector.watch, rank=rank, has_correction=has_correction)
    streams = CompiledStreams(watch.network, watch.relation, streams=1)
    packed, state, room = streams._packed, streams._state, streams._room
    found = {
        Part.OPERANDS: [*_arrays(packed), streams._clips],
        Part.STATE: [state.past, state.is_empty, state.rings, state.places, state.pending],
        Part.SCRATCH: [room.work, room.starts, room.rounded],
        Part.EXCHANGE: [
            *(streams._patches, streams._mask, streams._counts),
            *(streams.prediction, streams.departure),
        ],
    }
    for part, arrays in found.items():
        planned = sum(buffer.bytes for buffer in cpu_buffers(watch) if buffer.part is part)
        assert planned == sum(array.nbytes for array in arrays), part


@pytest.mark.parametrize('streams', [1, 17])
@pytest.mark.parametrize('rank', [0, 2, 17])
@pytest.mark.parametrize('has_correction', [True, False])
def test_the_gpu_s_buffers_are_those_of_its_engine(
    detector: DetectorModel, streams: int, rank: int, has_correction: bool
) -> None:
    pytest.importorskip('torch')
    pytest.importorskip('triton')
    gpu = pytest.importorskip('taolora_ros.kernels.stream_step.gpu')
    watch = _shaped(detector.watch, rank=rank, has_correction=has_correction)
    operands = stream_operands(watch.network, watch.relation)
    found = gpu.GpuStreams(operands, streams=streams, device='cpu').buffers
    planned = {
        part: sum(
            buffer.bytes
            for buffer in gpu_buffers(watch, streams=streams)
            if (buffer.part, buffer.place) == (part, Place.GPU)
        )
        for part in (Part.WEIGHTS, Part.STATE, Part.SCRATCH, Part.EXCHANGE)
    }
    assert planned == {
        Part.WEIGHTS: found['weights'],
        Part.STATE: found['state'],
        Part.SCRATCH: found['scratch'],
        Part.EXCHANGE: found['inputs and outputs'],
    }


def test_low_rank_weights_are_all_that_the_gpu_holds_in_half_precision(
    detector: DetectorModel,
) -> None:
    arena = layout.plan(stream_operands(detector.watch.network, detector.watch.relation), 1)
    fp16 = sum(buffer.fp16_bytes for buffer in gpu_buffers(detector.watch))
    assert fp16 == arena.halves.nbytes - 16 * 2  # but for the arena's end
    steady = sum(b.steady_bytes for b in gpu_buffers(detector.watch) if b.part is Part.WEIGHTS)
    others = (arena.table, arena.packed, arena.floats)
    assert steady == sum(part.nbytes for part in others) - 16 - 16 * 4


def test_the_gpu_s_states_are_kept_by_the_parity_of_a_hop_and_in_powers_of_two(
    detector: DetectorModel,
) -> None:
    plan = plan_memory(detector, detector.config, Device.CUDA)
    states = {buffer.name: buffer for buffer in _matching(plan, Part.STATE, Place.GPU)}
    assert {name: buffer.shape for name, buffer in states.items()} == {
        'hops': (3, 1),
        'rows': (1, 16, 3),  # 7 that the relation looks back, and a patch of 4
        'pending': (2, 1, 4, 3),
        'correction.block0.ring': (1, 4, 32),  # reaches back 2 tokens
        'correction.block1.ring': (1, 8, 32),  # dilation 3, reaches back 6
    }
    assert states['correction.block1.ring'].steady_bytes == 2 * 32 * 4  # a token for each tap
    assert states['pending'].steady_bytes == 4 * 3 * 4


def test_windows_are_as_large_as_those_of_a_running_detector(detector: DetectorModel) -> None:
    plan = plan_memory(detector, detector.config, Device.CPU)
    watch = Watch(detector.watch)
    for name, ring in (
        ('evidence.rows', watch._windows._rows),
        ('evidence.residuals', watch._windows._residuals),
        ('evidence.departures', watch._windows._departures),
        ('router.variance.ring', watch._router._variance._ring),
        ('router.energy.ring', watch._router._energy._ring),
    ):
        assert _named(plan, name).bytes == ring._buffer.nbytes, name


def test_the_outlier_buffer_is_bounded_as_the_engine_bounds_it(detector: DetectorModel) -> None:
    settings = overlay(detector.config, {'preservation': {'max_mb': 0.2}})
    plan = plan_memory(detector, settings, Device.CPU)
    buffer = Engine(detector, settings).buffer
    rows = {name: _named(plan, f'outliers.{name}').shape[0] for name in ('before', 'event')}
    assert rows == {'before': buffer._pre.maxlen, 'event': buffer._max_rows}
    assert _named(plan, 'outliers.event').bytes == pytest.approx(0.2e6, rel=0.01)
    assert _named(plan, 'outliers.event').shape[1] == ROW_BYTES + 3 * 17


def test_calibration_counts_every_array_that_was_learned(detector: DetectorModel) -> None:
    plan = plan_memory(detector, detector.config, Device.CPU)
    norm = sum(array.nbytes for array in vars(detector.watch.norm).values())
    planned = sum(b.bytes for b in plan.buffers if b.name.startswith('calibration.norm.'))
    assert planned == norm == 4 * 7 * 3 * 8
    tails = [b for b in plan.buffers if b.name.startswith('calibration.scores.tails.')]
    assert len(tails) == 7


def test_queues_hold_as_many_messages_of_each_topic_as_the_node_lets_wait(
    plan: MemoryPlan, detector: DetectorModel
) -> None:
    assert _named(plan, 'intake.queues').shape[:2] == (2, 100)  # /imu and /motor


def test_the_parts_add_up(plan: MemoryPlan) -> None:
    parts = plan.part_bytes()
    assert sum(parts.values()) == plan.total_bytes
    assert set(parts) == set(Part)


def test_bytes_moved_are_those_of_steady_and_of_transient_hops() -> None:
    traffic = Traffic(steady_bytes=1000, transient_bytes=1100)
    assert traffic.moved(steady_hops=10, transient_hops=2) == 12_200


def test_l2_holds_all_that_is_on_the_gpu(detector: DetectorModel, orin: Machine) -> None:
    plan = plan_memory(detector, detector.config, Device.CUDA)
    on_gpu = sum(buffer.bytes for buffer in plan.buffers if buffer.place is Place.GPU)
    share = plan.l2_share(orin.gpus[0])
    assert share == pytest.approx(on_gpu / 2**21)
    silent = dataclasses.replace(orin.gpus[0], l2_bytes=None)
    assert plan.l2_share(silent) is None


def test_no_budget_is_no_limit(plan: MemoryPlan) -> None:
    plan.require_fit(0.0)
    plan.require_fit(plan.total_bytes / 1e6)


def test_a_detector_beyond_its_budget_is_refused_with_the_numbers(
    detector: DetectorModel,
) -> None:
    plan = plan_memory(detector, detector.config, Device.CPU)
    with pytest.raises(DeviceError) as caught:
        plan.require_fit(2.5)
    said = str(caught.value)
    assert '\n' not in said
    assert f'needs {plan.total_bytes / 1e6:.3g} MB' in said
    assert 'packed weights 0.0' in said
    assert 'the budget is 2.5' in said
    assert said.endswith('raise it, or lower preservation.max_mb')


def test_the_remedy_is_for_the_largest_part(detector: DetectorModel) -> None:
    small = overlay(detector.config, {'preservation': {'max_mb': 0.1}})
    with pytest.raises(DeviceError, match=r'raise it, or lower queue$'):
        plan_memory(detector, small, Device.CPU, queue=100_000).require_fit(1.0)


def test_a_plan_makes_none_of_its_buffers(detector: DetectorModel) -> None:
    large = overlay(Config(), {'preservation': {'max_mb': 4096.0, 'pre_s': 600.0}})
    settings = dataclasses.replace(detector.config, preservation=large.preservation)
    plan = plan_memory(detector, settings, Device.CPU)
    assert plan.total_bytes > 8e9
    assert isinstance(plan.total_bytes, int)
    assert not any(isinstance(buffer.shape, np.ndarray) for buffer in plan.buffers)
