"""Vector registers of x86 as TensorIR expressions: loads, broadcasts, dot products of four bytes, exact rescaling.

A *group* is the 32 bits that one lane of a dot product multiplies: four bytes where the CPU has VNNI (unsigned cells
times signed weights), two int16 otherwise. Sums are int32 modulo 2^32 and no product saturates, so that the order of
summation shows nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx.script import builder as T  # noqa: N812 (the name that TensorIR is written with)

from tvm_wvv.quant.operators import Pair

Index: TypeAlias = Expr | int


@dataclass(frozen=True)
class Vectors:
    """One generation of vector units. `registers` are what a kernel may fill; `dot` and `dot16` name LLVM intrinsics.

    `dot` multiplies groups and adds them to an accumulator; without it, `multiply_pairs` only multiplies int16 pairs.
    `threads` is how many cores share the work of a kernel that is worth it.
    """

    name: str
    lanes: int
    registers: int
    dot: str | None
    dot16: str | None
    multiply_pairs: str | None = None
    # Two registers of int32 to one of int16, two of those to one of bytes; both saturate.
    packs: tuple[str, str] = ("", "")
    threads: int = 1

    @property
    def unsigned_cells(self) -> bool:
        """Whether cells are bytes that had 128 added; else they are int16."""
        return self.dot is not None

    @property
    def cell(self) -> str:
        """The element type of what is multiplied by weights."""
        return "uint8" if self.unsigned_cells else "int16"

    @property
    def weight(self) -> str:
        """The element type of weights."""
        return "int8" if self.unsigned_cells else "int16"

    @property
    def group(self) -> int:
        """Cells in a group."""
        return 4 if self.unsigned_cells else 2

    @property
    def ints(self) -> str:
        """The type of a register of int32."""
        return f"int32x{self.lanes}"

    def dot_product(self, total: Expr, cells: Expr, weights: Expr) -> Expr:
        """`total` + the dot product of each lane's group; both operands hold one register of cells and weights."""
        if self.dot is not None:
            return tirx.call_llvm_pure_intrin(self.ints, self.dot, total, cells, weights)
        return self.dot_product16(total, cells, weights)

    def dot_product16(self, total: Expr, cells: Expr, weights: Expr) -> Expr:
        """The same of int16 pairs, whatever a group is otherwise."""
        if self.dot16 is not None:
            return tirx.call_llvm_pure_intrin(self.ints, self.dot16, total, cells, weights)
        product = tirx.call_llvm_pure_intrin(self.ints, self.multiply_pairs, cells, weights)
        return wrapped(wide(total, self.lanes) + wide(product, self.lanes), self.lanes)


_PACK512 = "llvm.x86.avx512.packssdw.512", "llvm.x86.avx512.packsswb.512"
_PACK256 = "llvm.x86.avx2.packssdw", "llvm.x86.avx2.packsswb"
_PACK128 = "llvm.x86.sse2.packssdw.128", "llvm.x86.sse2.packsswb.128"
AVX512_VNNI = Vectors(
    "avx512vnni", 16, 32, "llvm.x86.avx512.vpdpbusd.512", "llvm.x86.avx512.vpdpwssd.512", None, _PACK512
)
AVX512 = Vectors("avx512", 16, 32, None, None, "llvm.x86.avx512.pmaddw.d.512", _PACK512)
AVX_VNNI = Vectors("avxvnni", 8, 16, "llvm.x86.avx512.vpdpbusd.256", "llvm.x86.avx512.vpdpwssd.256", None, _PACK256)
AVX2 = Vectors("avx2", 8, 16, None, None, "llvm.x86.avx2.pmadd.wd", _PACK256)
SSE2 = Vectors("sse2", 4, 16, None, None, "llvm.x86.sse2.pmadd.wd", _PACK128)


def load(buffer: tirx.Buffer, start: Index, lanes: int) -> Expr:
    """`lanes` elements of a buffer of one axis."""
    return tirx.BufferLoad(buffer, [ramp(start, lanes)])


def prefetch(buffer: tirx.Buffer, start: Index) -> None:
    """Ask for the cache line of one element, for the second cache; only time depends on it, so that the element may lie
    beyond the buffer.
    """
    read, locality, data = (tirx.const(one, "int32") for one in (0, 2, 1))
    T.evaluate(tirx.call_llvm_intrin("void", "llvm.prefetch", tirx.address_of(buffer[start]), read, locality, data))


def store(buffer: tirx.Buffer, value: Expr, start: Index, lanes: int) -> None:
    """The opposite of `load`."""
    T.buffer_store(buffer, value, [ramp(start, lanes)])


def ramp(start: Index, lanes: int) -> Expr:
    """`lanes` neighbouring places."""
    first = tirx.const(start, "int32") if isinstance(start, int) else start
    return tirx.Ramp(first, 1, lanes) if lanes > 1 else first


def splat(value: int, lanes: int, dtype: str = "int32") -> Expr:
    """A register of one number."""
    number = tirx.const(value, dtype)
    return tirx.Broadcast(number, lanes) if lanes > 1 else number


def broadcast_group(cells: tirx.Buffer, start: Index, lanes: int) -> Expr:
    """One group of cells in every lane; it may start at any cell."""
    dtype = str(cells.dtype)
    count = 4 if dtype == "uint8" else 2
    word = tirx.reinterpret("int32", load(cells, start, count))
    return tirx.reinterpret(f"{dtype}x{count * lanes}", tirx.Broadcast(word, lanes))


def wide(value: Expr, lanes: int) -> Expr:
    """int32 as int64, where sums of a few do not overflow."""
    return tirx.Cast(vector_type("int64", lanes), value)


def wrapped(value: Expr, lanes: int) -> Expr:
    """int64 modulo 2^32. LLVM makes additions of 32 bits of it, which TVM's own declare never to wrap."""
    return tirx.Cast(vector_type("int32", lanes), value)


class Register:
    """A value of one vector register that changes: a small array that LLVM keeps in the register."""

    def __init__(self, lanes: int, dtype: str = "int32") -> None:
        self._buffer, self._lanes = T.sblock_alloc_buffer((lanes,), dtype), lanes

    def set(self, value: Expr) -> None:
        """Compute `value` now."""
        store(self._buffer, value, 0, self._lanes)

    @property
    def value(self) -> Expr:
        """What it holds."""
        return load(self._buffer, 0, self._lanes)


def high_of_double(value: Expr, mantissa: tuple[Expr, Expr], lanes: int) -> Expr:
    """floor((2 * value * mantissa + 2^31) / 2^32) of int32 with |value| < 2^30 (numerics.md, N18).

    `mantissa` are the even and the odd lanes' as registers of int64. x86 multiplies 32 by 32 bits in every other lane:
    LLVM makes one instruction of a product of int64 whose operands are sign-extended in place.
    """
    if lanes == 1:
        product = tirx.Cast("int64", value + value) * mantissa[0] + splat(1 << 31, 1, "int64")
        return tirx.Cast("int32", product >> splat(32, 1, "int64"))
    doubled = tirx.reinterpret(f"int64x{lanes // 2}", value + value)
    half, places = splat(1 << 31, lanes // 2, "int64"), splat(32, lanes // 2, "int64")
    low = [(one << places) >> places for one in (doubled, *mantissa)]
    even, odd = low[0] * low[1] + half, (doubled >> places) * low[2] + half
    return _upper_words(even, odd, lanes)


def high_of_sum(value: Expr, mantissa: tuple[Expr, Expr], addend: tuple[Expr, Expr], lanes: int) -> Expr:
    """(value * mantissa + addend) >> 32 within int64; of factor and addend the even and the odd lanes as int64.

    How the products become one instruction each is told at `high_of_double`.
    """
    words, places = tirx.reinterpret(f"int64x{lanes // 2}", value), splat(32, lanes // 2, "int64")
    even, odd = (
        one * ((factor << places) >> places) + rest
        for one, factor, rest in zip(((words << places) >> places, words >> places), mantissa, addend, strict=True)
    )
    return _upper_words(even, odd, lanes)


def _upper_words(even: Expr, odd: Expr, lanes: int) -> Expr:
    words = [tirx.reinterpret(f"int32x{lanes}", one) for one in (even, odd)]
    pairs = [place for lane in range(1, lanes, 2) for place in (lane, lanes + lane)]
    return tirx.Shuffle(words, [tirx.const(place, "int32") for place in pairs])


def shifted(value: Expr, left: int, lanes: int) -> Expr:
    """value * 2^left; to the right, and rounded down, where `left` is negative."""
    if not left:
        return value
    return value << splat(left, lanes) if left > 0 else value >> splat(-left, lanes)


def packed(vectors: Vectors, values: Sequence[Expr], clamp: Pair) -> Expr:
    """Up to four registers of int32, held within the clamp, as one of int8: one after the other, then anything."""
    lanes, (to_words, to_bytes) = vectors.lanes, vectors.packs
    four = [values[number % len(values)] for number in range(4)]
    halves = [tirx.call_llvm_pure_intrin(f"int16x{2 * lanes}", to_words, *four[at : at + 2]) for at in (0, 2)]
    bytes_ = tirx.call_llvm_pure_intrin(f"int8x{4 * lanes}", to_bytes, *halves)
    if lanes > 4:
        # Within each 128 bits stand four lanes of each register.
        order = [tirx.const(lane * 4 + number, "int32") for number in range(4) for lane in range(lanes // 4)]
        bytes_ = tirx.reinterpret(f"int8x{4 * lanes}", tirx.Shuffle([tirx.reinterpret(vectors.ints, bytes_)], order))
    if clamp[0] > -128:
        bytes_ = tirx.max(bytes_, splat(clamp[0], 4 * lanes, "int8"))
    return tirx.min(bytes_, splat(clamp[1], 4 * lanes, "int8")) if clamp[1] < 127 else bytes_


def narrowed(value: Expr, clamp: Pair, lanes: int) -> Expr:
    """int32 held within the clamp, as int8."""
    low, top = (splat(limit, lanes) for limit in clamp)
    return tirx.Cast(vector_type("int8", lanes), tirx.min(tirx.max(value, low), top))


def chunks(count: int, width: int, each: Callable[[Index, int], None], some: tuple[Index, Index] | None = None) -> None:
    """Cover `count` elements by `each(first, lanes)` of `width` lanes, then of ever smaller powers of two.

    With `some`, only these of the former, from one to another.
    """
    if count >= width:
        with T.serial(*(some or (0, count // width))) as piece:
            each(piece * width, width)
    done, rest = count // width * width, count % width
    while rest:
        lanes = 1 << (rest.bit_length() - 1)
        each(done, lanes)
        done, rest = done + lanes, rest - lanes


def vector_type(dtype: str, lanes: int) -> str:
    """`lanes` elements; TensorIR does not write a single one as a vector."""
    return f"{dtype}x{lanes}" if lanes > 1 else dtype


def run_of(buffer: tirx.Buffer, first: Index, lanes: int) -> list[Expr | int]:
    """The index of `lanes` elements from `first` on, all axes read as one: code generation adds up what it is given."""
    return [*(0 for _ in buffer.shape[1:]), ramp(first, lanes)]


def stores(buffer: tirx.Buffer, first: Expr, value: Expr, start: int, count: int, whole: int) -> None:
    """`count` elements of `value` from `start` on, out of `whole`, to element `first` of the buffer on, whose axes are
    read as one.
    """
    done = 0
    while done < count:
        lanes = 1 << ((count - done).bit_length() - 1)
        taken = [tirx.const(start + done + lane, "int32") for lane in range(lanes)]
        part = value if lanes == whole else tirx.Shuffle([value], taken)
        T.buffer_store(buffer, part, run_of(buffer, first + done, lanes))
        done += lanes
