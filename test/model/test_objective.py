"""The training objective."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.model.objective import KNEE, huber, objective


@pytest.mark.parametrize(
    ('error', 'loss'), [(0.0, 0.0), (1.0, 0.5), (-2.0, 2.0), (3.0, 4.5), (-5.0, 10.5)]
)
def test_huber_is_square_up_to_the_knee_and_linear_beyond(error: float, loss: float) -> None:
    assert KNEE == 3.0
    assert huber(np.array([error]))[0] == pytest.approx(loss)


def test_objective_adds_what_the_low_rank_path_leaves_lost() -> None:
    error, lost, repaired = np.array([1.0, 1.0]), np.array([2.0, 4.0]), np.array([1.0, 1.0])
    assert objective(error, lost, repaired, weight=0.1) == pytest.approx(0.5 + 0.1 * 5.0)


def test_torch_tensors_give_the_same_number() -> None:
    torch = pytest.importorskip('torch')
    error, lost, repaired = (np.linspace(-6.0, 6.0, 7) * scale for scale in (1.0, 0.5, 0.1))
    tensors = (torch.from_numpy(values) for values in (error, lost, repaired))
    expected = objective(error, lost, repaired, weight=0.3)
    assert float(objective(*tensors, weight=0.3)) == pytest.approx(float(expected))
