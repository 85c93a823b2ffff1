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

from taolora_ros.kernels.processor import target

INT8, INT16, INT32, FLOAT = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.FloatType()
INDEX = ir.IntType(64)

Emit = Callable[..., Any]


def vector_code(*kinds: types.Type, result: types.Type = types.none) -> Callable[[Emit], Any]:
    """Make what compiled code can call of a function that writes LLVM code.

    The function is given the builder and one value an argument: the pointer to an array's first
    element, or a number. No bounds are checked. Its code is written once for all calls from a
    compiled function, and takes bare pointers and numbers: Numba hands over seven words an array.

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
                returned = subroutine(builder, emit, taken, given)
                return context.get_dummy_value() if result is types.none else returned

            given = None if result is types.none else _GIVEN[result]
            return result(*kinds), generate

        # Numba reads the number of arguments off the signature.
        names = ', '.join(f'argument{place}' for place in range(len(kinds)))
        scope: dict[str, Any] = {'typed': typed}
        exec(f'def {emit.__name__}(context, {names}): return typed(context, {names})', scope)
        return intrinsic(scope[emit.__name__])

    return wrap


def subroutine(
    builder: Any, emit: Emit, values: Sequence[Any], given: ir.Type | None = None
) -> Any:
    """Call the function that holds what `emit` writes; it is written when first called.

    Args:
        builder: as everywhere here.
        emit: given the builder and the values within the function.
        values: pointers and numbers.
        given: type of what it returns, if anything.
    """
    module = builder.module
    name = f'{emit.__module__}.{emit.__qualname__}'
    function = module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(given or ir.VoidType(), [value.type for value in values])
        function = ir.Function(module, kind, name)
        function.linkage = 'internal'
        for attribute in ('noinline', 'optsize'):  # copies of long code take minutes to compile
            function.attributes.add(attribute)
        if _PROCESSOR.is_richer:
            ask_for(function, _PROCESSOR.features)
        inner = ir.IRBuilder(function.append_basic_block())
        returned = emit(inner, *function.args)
        if given is None:
            inner.ret_void()
        else:
            inner.ret(returned)
    return builder.call(function, values)


def ask_for(function: Any, features: frozenset[str]) -> None:
    """Let a function have features of a processor that its module isn't compiled with."""
    told = ','.join(f'+{feature}' for feature in sorted(features))
    # llvmlite knows no attributes of this kind, but writes out what is in the set.
    set.add(function.attributes, f'"target-features"="{told}"')


_GIVEN = {types.float32: FLOAT, types.boolean: ir.IntType(1)}
_PROCESSOR = target()


def pointers(builder: Any, parts: Sequence[Any]) -> list[Any]:
    """Where parts begin: arrays, each followed by the index of its part's first element."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [builder.gep(part, [first]) for part, first in pairs]


def vector(kind: ir.Type, width: int) -> ir.VectorType:
    """The type of a vector."""
    return ir.VectorType(kind, width)


def load(builder: Any, pointer: Any, index: Any, width: int) -> Any:
    """`width` neighbors, aligned as elements are."""
    kind = pointer.type.pointee
    place = builder.bitcast(builder.gep(pointer, [index]), vector(kind, width).as_pointer())
    return builder.load(place, align=_bytes(kind))


def load_some(builder: Any, pointer: Any, index: Any, width: int, count: Any) -> Any:
    """Neighbors of which only those before index `count` are read; the others are 0."""
    kind = vector(pointer.type.pointee, width)
    place = builder.bitcast(builder.gep(pointer, [index]), kind.as_pointer())
    name = f'llvm.masked.load.v{width}f32.p0v{width}f32'
    align = ir.Constant(INT32, _bytes(pointer.type.pointee))
    is_read = _are_before(builder, index, width, count)
    return call(builder, name, kind, place, align, is_read, constant(FLOAT, 0.0, width))


def _are_before(builder: Any, index: Any, width: int, count: Any) -> Any:
    left = splat(builder, builder.trunc(builder.sub(count, index), INT32), width)
    return builder.icmp_signed('<', constant(INT32, range(width), width), left)


def store(builder: Any, value: Any, pointer: Any, index: Any) -> None:
    """Write a vector to neighbors."""
    place = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    builder.store(value, place, align=_bytes(pointer.type.pointee))


def store_some(builder: Any, value: Any, pointer: Any, index: Any, count: Any) -> None:
    """Write those neighbors that lie before index `count`."""
    width = value.type.count
    place = builder.bitcast(builder.gep(pointer, [index]), value.type.as_pointer())
    name = f'llvm.masked.store.v{width}f32.p0v{width}f32'
    align = ir.Constant(INT32, _bytes(pointer.type.pointee))
    is_written = _are_before(builder, index, width, count)
    call(builder, name, ir.VoidType(), value, place, align, is_written)


def element(builder: Any, pointer: Any, index: Any) -> Any:
    """One element of an array."""
    return builder.load(builder.gep(pointer, [index]))


def flag(builder: Any, flags: Any, index: Any) -> Any:
    """An element of an array of bools, as a condition."""
    value = element(builder, flags, index)
    return builder.icmp_unsigned('!=', value, ir.Constant(value.type, 0))


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


def call(builder: Any, name: str, result: ir.Type, *operands: Any) -> Any:
    """What one of LLVM's intrinsic functions returns."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(result, [operand.type for operand in operands])
        function = ir.Function(builder.module, kind, name)
    return builder.call(function, operands)


def prefetch(builder: Any, pointer: Any) -> None:
    """Ask for a line of memory that is read later, in the L2 cache; it need not be anyone's."""
    line = builder.bitcast(pointer, INT8.as_pointer())
    read, second, data = (ir.Constant(INT32, choice) for choice in (0, 2, 1))
    call(builder, 'llvm.prefetch.p0i8', ir.VoidType(), line, read, second, data)


def sum_of(builder: Any, first: Any, values: Any) -> Any:
    """A number and all elements of a vector, summed in pairs."""
    while values.type.count > 1:
        half = values.type.count // 2
        low = shuffle(builder, values, range(half))
        values = builder.fadd(low, shuffle(builder, values, range(half, 2 * half)))
    return builder.fadd(first, builder.extract_element(values, ir.Constant(INT32, 0)))


def variable(builder: Any, value: Any) -> Any:
    """A place for what a loop carries on; becomes a register."""
    return cgutils.alloca_once_value(builder, value)


@contextmanager
def steps(builder: Any, first: Any, last: Any, step: Any) -> Iterator[Any]:
    """A loop over indices from `first` to before `last`; yields the index."""
    size = ir.Constant(INDEX, step) if isinstance(step, int) else step
    with cgutils.for_range_slice(builder, first, last, size, INDEX) as (index, _):
        yield index


def whole_steps(builder: Any, first: Any, last: Any, step: int) -> Any:
    """Where the whole steps end that go from `first` on and fit before `last`."""
    size = ir.Constant(INDEX, step)
    count = builder.udiv(builder.sub(last, first), size)
    return builder.add(first, builder.mul(count, size))


def _bytes(kind: Any) -> int:
    return 4 if isinstance(kind, ir.FloatType) else int(kind.width) // 8
