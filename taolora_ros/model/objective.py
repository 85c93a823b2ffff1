"""What training minimizes; for NumPy arrays and torch tensors alike.

    loss = mean(huber(e)) + μ · mean((lost − X·A·B)²)

The first part is the prediction error in normal deviations; the second keeps the low-rank path
at the task that it exists for, the output that the INT4 path loses on transient rows.
"""

from __future__ import annotations

from typing import Any

KNEE = 3.0  # deviations beyond which an error counts linearly: normal data has its own impacts


def huber(error: Any) -> Any:
    """e²/2 up to the knee and linear beyond, elementwise (Huber 1964)."""
    size = abs(error)
    bounded = size.clip(max=KNEE)
    return bounded * (size - 0.5 * bounded)


def objective(error: Any, lost: Any, repaired: Any, *, weight: float) -> Any:
    """The whole loss.

    Args:
        error: prediction errors in normal deviations.
        lost: X·W − Q4(X)·Q4(W) on transient rows.
        repaired: X·A·B on the same rows.
        weight: μ.
    """
    return huber(error).mean() + weight * ((lost - repaired) ** 2).mean()
