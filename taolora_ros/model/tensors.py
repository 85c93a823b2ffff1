"""Checked reading of named tensors, as an artifact holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from taolora_ros.errors import ArtifactError

Tensors = dict[str, npt.NDArray[Any]]
Scalar = TypeVar('Scalar', bound=np.generic)

MAX_HEADER_BYTES = 4 * 1024 * 1024  # reading JSON takes some 20 times that
MAX_NAME = 200  # letters of a tensor's name
DTYPES: dict[str, type[np.generic]] = {  # those that artifacts hold, by their safetensors names
    'F64': np.float64,
    'F32': np.float32,
    'F16': np.float16,
    'I64': np.int64,
    'I8': np.int8,
    'U8': np.uint8,
}


def parse(content: bytes) -> tuple[dict[str, str], Tensors]:
    """The metadata and the tensors of a safetensors file, which checks where they lie.

    Raises:
        ArtifactError: the file is damaged, none, or of a kind that no artifact is.
        ValueError, RecursionError: its header is no JSON that Python reads.
    """
    size = int.from_bytes(content[:8], 'little')
    if len(content) < 8 + size:
        raise ArtifactError('damaged or no artifact: it ends before its header does')
    if size > MAX_HEADER_BYTES:
        raise ArtifactError(f'a header of {size} bytes; this is no artifact')
    try:
        parts = deserialize(content)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ArtifactError(f'damaged or no artifact: {" ".join(str(error).split())}') from None
    tensors: Tensors = {}
    for name, part in parts:
        if len(name) > MAX_NAME:
            raise ArtifactError(f'a tensor with a name of {len(name)} letters')
        if part['dtype'] not in DTYPES:
            raise ArtifactError(f'tensor {name!r} is of type {part["dtype"]}')
        flat = np.frombuffer(part['data'], DTYPES[part['dtype']])
        tensors[name] = flat.reshape(part['shape'])
    return json.loads(content[8 : 8 + size]).get('__metadata__') or {}, tensors


class TensorReader:
    """Takes tensors by name, refusing what is missing, misshapen, of another type or not finite.

    Args:
        tensors: all tensors of the model.
        prefix: put before every name, e.g. 'skip.linear.'.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], prefix: str = '') -> None:
        self._tensors = tensors
        self._prefix = prefix

    def under(self, name: str) -> TensorReader:
        """A reader of the tensors whose names continue with `name.`."""
        return TensorReader(self._tensors, f'{self._prefix}{name}.')

    def has(self, name: str) -> bool:
        """Whether the tensor is there."""
        return self._prefix + name in self._tensors

    def holds_any(self) -> bool:
        """Whether any tensor has the prefix."""
        return any(name.startswith(self._prefix) for name in self._tensors)

    def shape(self, name: str, *, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor whose size is not known beforehand."""
        shape = self._find(name).shape
        if len(shape) != dimensions:
            raise ArtifactError(
                f'tensor {self._prefix + name!r} has shape {list(shape)}, expected {dimensions} '
                f'dimensions; train the model again'
            )
        return shape

    def take(
        self,
        name: str,
        dtype: type[Scalar],
        shape: tuple[int, ...],
        *,
        positive: bool = False,
    ) -> npt.NDArray[Scalar]:
        """One tensor of exactly this type and shape.

        Raises:
            ArtifactError: it is not there, or not what it has to be.
        """
        tensor = self._find(name)
        full = self._prefix + name
        if tensor.dtype != dtype or tensor.shape != shape:
            raise ArtifactError(
                f'tensor {full!r} is {tensor.dtype} {list(tensor.shape)}, expected '
                f'{np.dtype(dtype)} {list(shape)}; the artifact does not fit its settings: '
                f'train again'
            )
        if tensor.dtype.kind == 'f' and not np.isfinite(tensor).all():
            raise ArtifactError(f'tensor {full!r} holds NaN or infinity; train the model again')
        if positive and not (tensor > 0).all():
            raise ArtifactError(f'tensor {full!r} holds a scale that is not positive; train again')
        return np.ascontiguousarray(tensor)

    def _find(self, name: str) -> npt.NDArray[Any]:
        full = self._prefix + name
        if full not in self._tensors:
            raise ArtifactError(f'tensor {full!r} is missing; train the model again')
        return self._tensors[full]
