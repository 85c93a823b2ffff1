"""Checked reading of tensors."""

from __future__ import annotations

import numpy as np
import pytest

from taolora_ros.errors import ArtifactError
from taolora_ros.model.tensors import TensorReader

READER = TensorReader(
    {
        'skip.a': np.ones((2, 3), np.float32),
        'skip.nan': np.array([np.nan], np.float32),
        'skip.zero': np.array([0.0, 1.0], np.float16),
    }
).under('skip')


def test_a_tensor_that_fits_is_taken() -> None:
    assert READER.take('a', np.float32, (2, 3)).shape == (2, 3)
    assert READER.shape('a', dimensions=2) == (2, 3)
    assert READER.has('a')
    assert not READER.has('b')
    assert not READER.under('b').holds_any()


@pytest.mark.parametrize(
    ('name', 'dtype', 'shape', 'says'),
    [
        ('gone', np.float32, (1,), "'skip.gone' is missing"),
        ('a', np.float16, (2, 3), 'float32'),
        ('a', np.float32, (3, 2), r'\[2, 3\], expected float32 \[3, 2\]'),
        ('nan', np.float32, (1,), 'NaN'),
    ],
)
def test_what_does_not_fit_is_named(
    name: str, dtype: type[np.generic], shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(ArtifactError, match=says):
        READER.take(name, dtype, shape)


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(ArtifactError, match='not positive'):
        READER.take('zero', np.float16, (2,), positive=True)


def test_a_wrong_number_of_dimensions_is_refused() -> None:
    with pytest.raises(ArtifactError, match='expected 1 dimensions'):
        READER.shape('a', dimensions=1)
