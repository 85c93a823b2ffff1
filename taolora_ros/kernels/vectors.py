"""Vectors in LLVM's own form, for the inner loops of the CPU kernels.

Numba leaves it to the compiler to make vectors of loops. On short rows, what that adds to find
out whether arrays overlap takes longer than the work, and sums go to memory and back for every
few products. Here an inner loop is said in vectors of a fixed number of elements, which LLVM maps
to the registers of the machine, whatever their width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

INT8, INT16, INT32, FLOAT = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.FloatType()
HALF, INDEX = ir.HalfType(), ir.IntType(64)

Emit = Callable[..., Any]


def vector_code(*kinds: types.Type, result: types.Type = types.none) -> Callable[[Emit], Any]:
    """Make what compiled code can call of a function that writes LLVM code.

    The function is given the builder and one value an argument: the pointer to an array's first
    element, or a number. No bounds are checked.

    Args:
        kinds: types of the arguments; arrays are one-dimensional and contiguous.
        result: type of what the function returns.
    """

    def wrap(emit: Emit) -> Any:
        def typed(typing_context: Any, *arguments: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
                taken = [
                    context.make_array(kind)(context, builder, value).data
                    if isinstance(kind, types.Array)
                    else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                returned = emit(builder, *taken)
                return context.get_dummy_value() if result is types.none else returned

            return result(*kinds), generate

        # Numba reads the number of arguments off the signature.
        names = ', '.join(f'argument{place}' for place in range(len(kinds)))
        scope: dict[str, Any] = {'typed': typed}
        exec(f'def {emit.__name__}(context, {names}): return typed(context, {names})', scope)
        return intrinsic(scope[emit.__name__])

    return wrap


def vector(kind: ir.Type, width: int) -> ir.VectorType:
    """The type of a vector."""
    return ir.VectorType(kind, width)


def load(builder: Any, pointer: Any, index: Any, width: int) -> Any:
    """`width` neighbors, aligned as elements are."""
    kind = pointer.type.pointee
    place = builder.bitcast(builder.gep(pointer, [index]), vector(kind, width).as_pointer())
    return builder.load(place, align=_bytes(kind))


def load_halves(builder: Any, pointer: Any, index: Any, width: int) -> Any:
    """`width` FP16 neighbors as float32, from floats whose bits hold two of them each.

    Args:
        builder: as everywhere here.
        pointer: to the floats; Numba has no arrays of FP16 on the CPU.
        index: of the first FP16.
        width: how many.
    """
    halves = builder.bitcast(pointer, HALF.as_pointer())
    place = builder.bitcast(builder.gep(halves, [index]), vector(HALF, width).as_pointer())
    return builder.fpext(builder.load(place, align=2), vector(FLOAT, width))


def store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    """Write a vector to neighbors."""
    place = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    builder.store(value, place, align=_bytes(pointer.type.pointee))


def element(builder: Any, pointer: Any, index: Any) -> Any:
    """One element of an array."""
    return builder.load(builder.gep(pointer, [index]))


def splat(builder: Any, value: Any, width: int) -> Any:
    """A vector of one value."""
    one = builder.insert_element(ir.Constant(vector(value.type, width), ir.Undefined), value,
                                 ir.Constant(INT32, 0))  # fmt: skip
    return shuffle(builder, one, [0] * width)


def shuffle(builder: Any, value: Any, places: Sequence[int], other: Any = None) -> Any:
    """The elements of a vector, or of two in a row, at the places given."""
    mask = ir.Constant(vector(INT32, len(places)), list(places))
    other = ir.Constant(value.type, ir.Undefined) if other is None else other
    return builder.shuffle_vector(value, other, mask)


def constant(kind: ir.Type, value: float | Sequence[float], width: int) -> Any:
    """A vector of numbers, or of one number."""
    values = list(value) if isinstance(value, Sequence) else [value] * width
    return ir.Constant(vector(kind, width), values)


def variable(builder: Any, value: Any) -> Any:
    """A place for what a loop carries on; becomes a register."""
    return cgutils.alloca_once_value(builder, value)


@contextmanager
def steps(builder: Any, first: Any, last: Any, step: Any) -> Iterator[Any]:
    """A loop over indices from `first` to before `last`; yields the index."""
    size = ir.Constant(INDEX, step) if isinstance(step, int) else step
    with cgutils.for_range_slice(builder, first, last, size, INDEX) as (index, _):
        yield index


def _bytes(kind: Any) -> int:
    return 4 if isinstance(kind, ir.FloatType) else int(kind.width) // 8
