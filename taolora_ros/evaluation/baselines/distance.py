"""Mahalanobis distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taolora_ros.samples import Floats

_LEAST_VARIANCE = 1e-9  # mean over the dimensions; of standardized data it is near 1


@dataclass(frozen=True, slots=True, eq=False)
class Distance:
    """Squared distance from the mean of a sample, in units of its covariance."""

    mean: Floats  # [D]
    whitener: Floats  # [D, D] W with W·Wᵀ = C⁻¹

    def squared(self, points: Floats) -> Floats:
        """`[M]` (x − mean)·C⁻¹·(x − mean)ᵀ of points x `[M, D]`."""
        whitened = (points - self.mean) @ self.whitener
        squared: Floats = np.square(whitened).sum(axis=1)
        return squared


def fit_distance(points: Floats, *, shrinkage: float) -> Distance:
    """Mean and covariance of points `[M, D]`.

    Args:
        points: a normal sample.
        shrinkage: share by which the covariance C is moved towards v·I, v its mean variance. It
            keeps directions in which the sample hardly varies from deciding alone.
    """
    mean = points.mean(axis=0)
    centered = points - mean
    covariance = centered.T @ centered / len(points)
    identity = np.eye(len(mean))
    variance = max(float(np.trace(covariance)) / len(mean), _LEAST_VARIANCE)
    shrunk = (1.0 - shrinkage) * covariance + shrinkage * variance * identity
    return Distance(mean=mean, whitener=np.linalg.inv(np.linalg.cholesky(shrunk)).T)
