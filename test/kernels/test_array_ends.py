"""Networks of many shapes, in arrays that end where memory begins that nobody may touch."""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taolora_ros.kernels.stream_step import memory, packing, reference
from taolora_ros.kernels.stream_step.cpu import run, stream_step
from taolora_ros.kernels.stream_step.operands import StreamOperands

Record = TypeVar('Record')

HOPS = 3


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # both are plain functions
)
@given(
    shape=st.fixed_dictionaries(
        {
            'patch': st.integers(1, 9),
            'inputs': st.sampled_from([1, 2, 7, 8, 9, 16, 17, 33]),
            'order': st.integers(1, 12),
            'blocks': st.sampled_from([None, 0, 1]),
            'kernel': st.integers(1, 4),
            'group': st.sampled_from([8, 16, 32, 64, 128, 256]),
            'rank': st.sampled_from([0, 1, 7, 8, 9, 17]),
            'dense': st.booleans(),
        }
    ),
    channels=st.integers(0, 33),
    streams=st.sampled_from([1, 2, 5]),
)
def test_networks_of_all_shapes_stay_within_their_arrays(
    shape: dict[str, Any],
    channels: int,
    streams: int,
    network: Callable[..., StreamOperands],
    error: Callable[[np.ndarray, np.ndarray], float],
) -> None:
    operands = network(**shape, channels=min(channels, shape['inputs']))
    packed = between_pages(packing.pack(operands))
    state = between_pages(memory.start(packed, streams))
    room = between_pages(memory.room(packed, streams))
    room.work[:], room.rounded[:] = np.nan, -128
    rng, before = np.random.default_rng(0), reference.start(operands, streams)
    patches, masks, found = [], [], []
    for _ in range(HOPS):
        patches.append(page_end(rng.normal(size=(streams, operands.patch, operands.inputs))))
        masks.append(page_end(rng.random(streams) < 0.5))
        found.append(between_pages(forecast(operands, streams)))
        stream_step(
            *(packed, state, room, patches[-1], masks[-1]),
            *(found[-1].prediction, found[-1].departure),
        )
        assert np.isfinite(found[-1].prediction).all()
    expected = reference.stream_step(operands, before, patches[0], masks[0])
    assert error(found[0].prediction, expected.prediction) <= 1e-5
    assert error(found[0].departure, expected.departure) <= 1e-5
    whole = between_pages(forecast(operands, HOPS))
    rows, mask = (page_end(np.stack([hop[0] for hop in hops])) for hops in (patches, masks))
    alone = between_pages(memory.start(packed, 1))
    run(packed, alone, rows, mask, whole.prediction, whole.departure)
    for hop, taken in enumerate(found):
        np.testing.assert_array_equal(whole.prediction[hop], taken.prediction[0])
        np.testing.assert_array_equal(whole.departure[hop], taken.departure[0])


def forecast(operands: StreamOperands, count: int) -> reference.Forecast:
    """Room for so many predictions, of which none has been made."""
    size = (count, operands.patch)
    return reference.Forecast(
        prediction=np.full((*size, operands.inputs), np.nan, np.float32),
        departure=np.full((*size, operands.channels), np.nan, np.float32),
    )


def between_pages(record: Record) -> Record:
    """The same arrays, each as of `page_end`."""
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    arrays = {field.name: page_end(getattr(record, field.name)) for field in fields}
    return dataclasses.replace(record, **arrays)  # type: ignore[type-var]


def page_end(values: np.ndarray) -> np.ndarray:
    """A copy, float32 of floats, before a page that can be neither read nor written."""
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    whole = -(-max(values.nbytes, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, whole + mmap.PAGESIZE)
    end = ctypes.addressof(ctypes.c_char.from_buffer(pages, whole))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert protect(end, mmap.PAGESIZE, 0) == 0
    copy: np.ndarray = np.ndarray(values.shape, values.dtype, pages, whole - values.nbytes)
    copy[...] = values
    return copy
