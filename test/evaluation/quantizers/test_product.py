from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.evaluation.quantizers.product import Product, rank_within, truncated
from taolora_ros.quantization.low_rank import LowRank, no_low_rank


def test_a_product_rounds_smooths_and_adds() -> None:
    layer = Product(
        weight=np.float32([[1.0], [2.0]]),
        low_rank=LowRank(down=np.float16([[1.0], [0.0]]), up=np.float16([[0.5]])),
        bias=np.float16([10.0]),
        round_rows=np.rint,
        bytes=0,
        smooth=np.float32([2.0, 1.0]),
    )
    # x/smooth = (2.2, 1.4), rounded (2, 1): 2·1 + 1·2; the low rank sees 4.4 whole.
    found = layer(np.float32([[4.4, 1.4]]), np.array([False]))
    assert found[0, 0] == pytest.approx(4.0 + 2.2 + 10.0)
    assert layer(np.float32([[4.4, 1.4]]), np.array([True]))[0, 0] == found[0, 0]


def test_without_a_low_rank_nothing_is_added() -> None:
    weight = np.eye(3, dtype=np.float32)
    layer = Product(weight, no_low_rank(3, 3), np.zeros(3, np.float16), lambda x: x, bytes=0)
    np.testing.assert_array_equal(layer(2 * weight, np.zeros(3, bool)), 2 * weight)


@pytest.mark.parametrize(
    ('budget', 'rank'), [(100, 0), (139, 0), (140, 1), (299, 4), (10_000, 8), (0, 0)]
)
def test_the_rank_is_the_largest_that_fits(budget: int, rank: int) -> None:
    # A rank of a 12 × 8 layer takes 2·20 bytes; 100 are spent.
    assert rank_within(budget, 100, inputs=12, outputs=8) == rank


def test_a_truncated_product_is_the_best_of_its_rank() -> None:
    matrix = np.diag([5.0, 3.0, 1.0])
    found = truncated(matrix, 2).product()
    np.testing.assert_allclose(found, np.diag([5.0, 3.0, 0.0]), atol=5e-3)
    np.testing.assert_allclose(
        truncated(matrix, 2, before=2.0 * np.eye(3)).product(), 2.0 * found, atol=1e-2
    )
