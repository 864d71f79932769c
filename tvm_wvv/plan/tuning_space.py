"""Every way to compute a layer that `wvv tune` may try, and which of them to try next: plain decisions, nothing is run.

A way is an exact algorithm that is proved for the layer's weights, a maker of kernels where the target has several, and
how its kernel cuts the loops. The first of a task's ways is what the compiler takes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tvm import IRModule, ir

from tvm_wvv.kernels import winograd_dsp, winograd_mve, x86_conv, x86_winograd
from tvm_wvv.kernels.x86_vectors import Vectors
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Decisions, prove
from tvm_wvv.passes.options import Target
from tvm_wvv.passes.pipeline import site_of
from tvm_wvv.passes.tuned import DIRECT, Decision
from tvm_wvv.passes.tuned_layers import signature_of, weighted_layers
from tvm_wvv.quant.operators import Conv2d, DepthwiseConv2d, FullyConnected
from tvm_wvv.transforms.bilinear import Algorithm
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS, Variant

TENSOR_IR = "tir"
# Ways to cut one kernel that are worth a trial, best estimates first.
_MOST = 40
# Of TensorIR on a Cortex-M: what shares a load times what shares another; more than this many sums leave the registers.
_SUMS = 12
_ACROSS, _CHANNELS, _UNROLLED = (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 6, 8), (2, 4, 8, 16)
# How far from the best an algorithm may be by default for its cuts to be tried, and every which trial is no neighbour.
_HOPELESS, _EXPLORED = 1.6, 4


@dataclass(frozen=True)
class Task:
    """The layers of one signature; the first way is the default."""

    signature: str
    layers: tuple[str, ...]
    ways: tuple[Decision, ...]


def tasks_of(integer: IRModule, decisions: Decisions, target: Target, vectors: Vectors | None) -> tuple[Task, ...]:
    """Of all layers with weights; `decisions` are what the compiler takes by itself."""
    layers: dict[str, list[str]] = {}
    calls = weighted_layers(integer)
    for name, call in calls.items():
        layers.setdefault(signature_of(call), []).append(name)
    found = []
    for signature, names in layers.items():
        choice = decisions.get(names[0])
        default = Decision(str(choice.variant) if isinstance(choice, Choice) else DIRECT)
        ways = dict.fromkeys([default, *_ways(calls[names[0]], target, vectors)])
        found.append(Task(signature, tuple(names), tuple(ways)))
    return tuple(found)


def propose(ways: Sequence[Decision], measured: Mapping[Decision, float]) -> Decision | None:
    """What to measure next, given what each way costs so far; None where all that has a chance was measured.

    First every algorithm as it is, then what is nearest to the best, and now and then the best by estimate.
    """
    plain = [way for way in ways if not way.blocking]
    fresh = next((way for way in plain if way not in measured), None)
    if fresh is not None:
        return fresh
    best = min(measured, key=lambda way: measured[way])
    near = {(way.algorithm, way.kernel) for way in plain if measured[way] <= _HOPELESS * measured[best]}
    left = [way for way in ways if way not in measured and (way.algorithm, way.kernel) in near]
    if not left or len(measured) % _EXPLORED == 0:
        return left[0] if left else None
    own = [way for way in left if _maker(way) == _maker(best)]
    return min(own or left, key=lambda way: _distance(way, best))


def _maker(way: Decision) -> tuple[str, str]:
    return way.algorithm, way.kernel


def _distance(one: Decision, other: Decision) -> float:
    """Of two cuts of one kernel, how much their numbers differ; the first in order where one is the default."""
    if not other.blocking:
        return 0.0
    pairs = zip(one.blocking, other.blocking, strict=True)
    return sum(abs(a - b) / max(a, b) for (_, a), (_, b) in pairs)


def _ways(call: ir.Call, target: Target, vectors: Vectors | None) -> Iterator[Decision]:
    op = integer_ops.read(call)
    if isinstance(op, DepthwiseConv2d) and vectors is not None:
        return
    algorithms = _algorithms(call) if isinstance(op, Conv2d) else []
    for algorithm in (None, *algorithms):
        yield from _on_x86(call, algorithm, vectors) if vectors is not None else _on_cortex_m(call, algorithm, target)


def _algorithms(call: ir.Call) -> list[Algorithm]:
    """Those that are exact with these weights."""
    exact = [one for name, one in ALGORITHMS.items() if "exact" in ARITHMETICS[name]]
    site = site_of(call)
    return [one for one in exact if isinstance(prove(site, Variant(one, "exact")), Choice)]


def _on_x86(call: ir.Call, algorithm: Algorithm | None, vectors: Vectors) -> Iterator[Decision]:
    weights, out = integer_ops.shape_of(call.args[1]), integer_ops.shape_of(call)
    if algorithm is None:
        yield Decision()
        width, taps, stride = out[0], 1, 1  # a dense layer is a row of pixels
        if len(weights) == 4:
            width, stride = out[2], site_of(call).op.window.strides[1]
            taps = x86_conv.shared_taps(vectors, weights[3], weights[2])
        blocks = -(-weights[0] // vectors.lanes)
        for pixels, across in x86_conv.register_tiles(vectors, width, blocks, taps, stride)[:_MOST]:
            yield _cut(DIRECT, pixels=pixels, across=across)
        return
    site, name = site_of(call), str(Variant(algorithm, "exact"))
    if not x86_winograd.fits(vectors, site.x_shape, site.outputs):
        return
    yield Decision(name)
    rows, columns = site.grid(algorithm).tiles
    for tiles, (down, across) in x86_winograd.groupings(vectors, rows * columns, site.outputs // vectors.lanes)[:_MOST]:
        yield _cut(name, tiles=tiles, down=down, across=across)


def _on_cortex_m(call: ir.Call, algorithm: Algorithm | None, target: Target) -> Iterator[Decision]:
    name = DIRECT if algorithm is None else str(Variant(algorithm, "exact"))
    makers = {"cortex_m_dsp": ["dsp"], "cortex_m_mve": ["mve", "dsp"]}.get(target, [])
    own = [maker for maker in makers if algorithm is None or _has(maker, algorithm)]
    # The first maker, else TensorIR, is what a decision without a name means.
    for kernel in ("", *own[1:], *([TENSOR_IR] if own else [])):
        yield Decision(name, kernel)
        if (kernel or (own or [TENSOR_IR])[0]) == TENSOR_IR:
            yield from _tensor_ir(call, algorithm, name, kernel)
    if algorithm is not None and "dsp" in own:
        quads = -(-integer_ops.shape_of(call.args[0])[3] // winograd_dsp.QUAD)
        for longest in range(1, min(quads, winograd_dsp.LONGEST) + 1):
            if quads % longest == 0:
                yield _cut(name, "" if own[0] == "dsp" else "dsp", longest=longest)


def _has(maker: str, algorithm: Algorithm) -> bool:
    return algorithm.name in {"dsp": winograd_dsp, "mve": winograd_mve}[maker].VARIANTS


def _tensor_ir(call: ir.Call, algorithm: Algorithm | None, name: str, kernel: str) -> Iterator[Decision]:
    """Register tiles whose sides divide what they cut."""
    op, out = integer_ops.read(call), integer_ops.shape_of(call)
    width = 1 if isinstance(op, FullyConnected) else out[2]
    if algorithm is not None:
        width = site_of(call).grid(algorithm).tiles[1]
    # A depthwise tile is as deep as its multiplier, and its windows are unrolled by themselves.
    single = isinstance(op, DepthwiseConv2d)
    for across in (one for one in _ACROSS if width % one == 0):
        for channels in (one for one in _CHANNELS[: 1 if single else None] if out[-1] % one == 0):
            for unrolled in _UNROLLED[: (1 if single else None) if across * channels <= _SUMS else 0]:
                if algorithm is None:
                    yield _cut(name, kernel, pixels=across, channels=channels, unrolled=unrolled)
                else:
                    yield _cut(name, kernel, tiles=across, outputs=channels, unrolled=unrolled)


def _cut(algorithm: str, kernel: str = "", **blocking: int) -> Decision:
    return Decision(algorithm, kernel, tuple(sorted(blocking.items())))
