from __future__ import annotations

import dataclasses

import pytest

from taolora_ros.engine import DetectorModel
from taolora_ros.hardware.roofline import (
    LAUNCH_S,
    ORIN_NANO,
    ORIN_NANO_SUPER,
    estimate_hop,
    hop_operations,
)

# K·N of the layers: skip, embed, two blocks of expand and contract, head, relation.
CORRECTION = 64 * 32 + 2 * (32 * 128 + 64 * 32) + 32 * 12
OTHERS = 64 * 3 + 32 * 3


@pytest.mark.parametrize(('board', 'sparse_tops'), [(ORIN_NANO, 40), (ORIN_NANO_SUPER, 67)])
def test_a_board_reaches_half_the_sparse_figure_of_its_data_sheet(
    board: object, sparse_tops: int
) -> None:
    assert board.int8_tops == pytest.approx(sparse_tops / 2, rel=0.03)  # type: ignore[attr-defined]


def test_one_stream_fills_one_tile_of_a_tensor_core(detector: DetectorModel) -> None:
    assert hop_operations(detector.watch) == 2 * 8 * (CORRECTION + OTHERS)


def test_operations_grow_with_the_tiles_of_many_streams(detector: DetectorModel) -> None:
    # 10 streams: 10 tokens take 2 tiles, 40 rows of the skip and relation take 5
    expected = 2 * (16 * CORRECTION + 40 * OTHERS)
    assert hop_operations(detector.watch, streams=10) == expected


def test_a_transient_hop_costs_the_two_low_rank_products_at_half_the_rate(
    detector: DetectorModel,
) -> None:
    extra = hop_operations(detector.watch, is_transient=True) - hop_operations(detector.watch)
    ranks = [
        layer.low_rank.rank * (layer.inputs + layer.outputs)
        for layer in detector.watch.layers().values()
    ]
    assert extra == 2 * 2 * 8 * sum(ranks)


def test_the_time_is_launches_and_the_longer_of_reading_and_computing(
    detector: DetectorModel,
) -> None:
    estimate = estimate_hop(detector.watch, multiprocessors=1, launches=3)
    assert estimate.is_l2_resident
    assert estimate.launch_s == 3 * LAUNCH_S
    assert estimate.memory_s == pytest.approx(estimate.bytes_read / (64 * 625e6))
    assert estimate.compute_s == pytest.approx(estimate.operations / (4096 * 625e6))
    longer = max(estimate.memory_s, estimate.compute_s)
    assert estimate.time_s == estimate.launch_s + longer


def test_what_does_not_fit_into_l2_is_read_at_the_speed_of_the_memory(
    detector: DetectorModel,
) -> None:
    tiny = dataclasses.replace(ORIN_NANO, l2_bytes=1024)
    estimate = estimate_hop(detector.watch, tiny)
    assert not estimate.is_l2_resident
    assert estimate.memory_s == pytest.approx(estimate.bytes_read / 68e9)


def test_streams_share_the_weights_and_bring_their_own_states(detector: DetectorModel) -> None:
    one, two, three = (
        estimate_hop(detector.watch, streams=count).bytes_read for count in (1, 2, 3)
    )
    # Read: 7 rows of history, the correction of a patch, a token a tap; and 3 counts of hops
    states = 4 * (7 * 3 + 4 * 3 + 2 * 2 * 32) + 3 * 8
    assert three - two == two - one == states


def test_low_rank_weights_are_read_in_a_transient_hop_alone(detector: DetectorModel) -> None:
    steady, transient = (
        estimate_hop(detector.watch, is_transient=flag).bytes_read for flag in (False, True)
    )
    # FP16, R padded to 16, N to sixteens: K + N of skip, embed, two of expand and contract, head,
    # relation
    sizes = (64 + 16) + (64 + 32) + 2 * ((32 + 128) + (64 + 32)) + (32 + 16) + (32 + 16)
    assert transient - steady == 2 * 16 * sizes


def test_every_16_streams_bring_their_scratch_into_l2(detector: DetectorModel) -> None:
    # 48 rows of 3 x 128 float32, 128 int8 and 4 float32 scales, for 16 streams
    scratch = 48 * (3 * 128 * 4 + 128 + 4 * 4)
    board = dataclasses.replace(ORIN_NANO, l2_bytes=2 * scratch)
    assert estimate_hop(detector.watch, board, streams=16).is_l2_resident
    assert not estimate_hop(detector.watch, board, streams=17).is_l2_resident


def test_no_more_multiprocessors_work_than_the_board_has(detector: DetectorModel) -> None:
    assert estimate_hop(detector.watch, multiprocessors=99).multiprocessors == 8
    assert estimate_hop(detector.watch).multiprocessors == 8
