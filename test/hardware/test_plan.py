from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from taolora_ros.config import Config, Device, overlay
from taolora_ros.detection.watch import Watch
from taolora_ros.engine import DetectorModel, Engine
from taolora_ros.errors import DeviceError
from taolora_ros.hardware.buffers import Buffer, Part, Place
from taolora_ros.hardware.plan import MemoryPlan, Traffic, plan_memory
from taolora_ros.hardware.probe import Machine
from taolora_ros.kernels.dual_path_linear import cpu, reference
from taolora_ros.preservation.buffer import ROW_BYTES

# The detector: C = I = 3, order 6, patch 4, width 32, expansion 2, 2 blocks of 3 taps, rank 2.
# Layers, K × N: skip 64 × 3, embed 64 × 32, expand 32 × 128, contract 64 × 32, head 32 × 12,
# relation 32 × 3.


@pytest.fixture(params=[Device.CPU, Device.CUDA], ids=['cpu', 'cuda'])
def plan(request: pytest.FixtureRequest, detector: DetectorModel) -> MemoryPlan:
    return plan_memory(detector, detector.config, request.param, queue=100)


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


def test_the_cpu_reads_unpacked_codes_and_the_gpu_packed_ones(detector: DetectorModel) -> None:
    on_cpu = plan_memory(detector, detector.config, Device.CPU)
    on_gpu = plan_memory(detector, detector.config, Device.CUDA)
    codes = _named(on_cpu, 'correction.block0.expand.operands.codes')
    assert (codes.shape, codes.dtype, codes.steady_bytes) == ((32, 128), 'int8', 32 * 128)
    assert not any(buffer.part is Part.OPERANDS for buffer in on_gpu.buffers)
    (packed,) = (
        buffer
        for buffer in _matching(on_gpu, Part.WEIGHTS, Place.GPU)
        if buffer.name == 'correction.block0.expand.packed'
    )
    assert (packed.shape, packed.steady_bytes) == ((16, 128), 16 * 128)


def test_the_cpu_s_operands_are_those_of_its_kernel(detector: DetectorModel) -> None:
    plan = plan_memory(detector, detector.config, Device.CPU)
    for name, layer in detector.watch.layers().items():
        bias = layer.bias.astype(np.float32)
        plain = reference.prepare(layer.weight, layer.low_rank, bias)
        for part, array in dataclasses.asdict(cpu.prepare(plain)).items():
            planned = _named(plan, f'{name}.operands.{part}')
            assert (planned.bytes, planned.dtype) == (array.nbytes, array.dtype.name)


def test_low_rank_weights_are_read_where_the_mask_is_on(plan: MemoryPlan) -> None:
    low_rank = [b for b in plan.buffers if b.name.rpartition('.')[2] in ('down', 'up')]
    assert all(buffer.steady_bytes == 0 for buffer in low_rank)
    extra = sum(buffer.fp16_bytes for buffer in low_rank)
    assert plan.traffic.transient_bytes - plan.traffic.steady_bytes == extra > 0


def test_states_are_those_that_the_network_keeps(plan: MemoryPlan) -> None:
    states = {buffer.name: buffer for buffer in plan.buffers if buffer.part is Part.STATE}
    assert {name: buffer.shape for name, buffer in states.items()} == {
        'skip.history': (6, 3),
        'correction.last': (1, 3),
        'correction.pending': (4, 3),
        'correction.block0.ring': (2, 32),
        'correction.block1.ring': (6, 32),  # dilation 3
        'relation.history': (7, 3),
    }
    assert states['correction.block1.ring'].steady_bytes == 2 * 32 * 4  # a row for each tap


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


def test_l2_holds_weights_and_states_of_the_gpu(detector: DetectorModel, orin: Machine) -> None:
    plan = plan_memory(detector, detector.config, Device.CUDA)
    states = 4 * (6 * 3 + 3 + 4 * 3 + 8 * 32 + 7 * 3)
    share = plan.l2_share(orin.gpus[0])
    assert share == pytest.approx((detector.watch.packed_bytes + states) / 2**21)
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
