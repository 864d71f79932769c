"""In which arithmetic TFLite turns scales into multipliers: inputs on which the next best rule gives other bytes.

float32 and double multipliers differ by 2^-25 or so, which random tests hardly ever see. The values here lie beside a
rounding boundary: the wrong rule would be noticed, and ours is the kernels' rule.
"""

from __future__ import annotations

import numpy as np
import pytest
from strategies import SingleOp, activation_tensor, single, weight_tensor

from tvm_wvv.frontends.tflite_write import Tensor
from tvm_wvv.quant import operators as ops
from tvm_wvv.quant.fixed_point import quantize_multiplier, round_half_away, to_float32
from tvm_wvv.quant.parameters import activation_clamp
from tvm_wvv.quant.requantize import requantize_by
from tvm_wvv.reference.golden import Golden

EVERY_BYTE = np.arange(-128, 128, dtype=np.int8)
REST = -128  # the zero point of a layer's input that is at rest: the bias alone makes the sum


def golden_bytes(case: SingleOp, *inputs: np.ndarray) -> np.ndarray:
    return Golden(case.model, num_threads=1).run(*inputs)["output"][0]


def multiplied(acc: np.ndarray, real: float) -> np.ndarray:
    return requantize_by(acc, quantize_multiplier(real)).clip(-128, 127)


def sums_beside_boundaries(rng: np.random.Generator, real: float, other: float) -> np.ndarray:
    """int32 sums for which two nearly equal multipliers give different bytes."""
    halves = np.round((rng.integers(-120, 120, 200) + 0.5) / real).astype(np.int64)
    near = np.unique(halves[:, np.newaxis] + np.arange(-6, 7)).astype(np.int32)
    return near[multiplied(near, real) != multiplied(near, other)]


def layer(kind: str, source: float, weight: float, output: float, bias: np.ndarray, per_channel: bool) -> SingleOp:
    """A layer of 1x1 weights whose sums are its bias, where the input is at rest."""
    n, depthwise, dense = len(bias), kind == "DEPTHWISE_CONV_2D", kind == "FULLY_CONNECTED"
    shape = (1, 1) if dense else (1, 1, 1, 1)
    data = np.ones((1, 1, 1, n) if depthwise else (n, *shape[1:]), np.int8)
    scales, into = (weight,) * (n if per_channel else 1), ops.Affine(output, 0)
    tensors = [
        activation_tensor("input", shape, ops.Affine(source, REST)),
        weight_tensor(data, scales, 3 if depthwise else 0),
        Tensor("bias", (n,), "int32", bias, (to_float32(source * weight),), (0,)),
        activation_tensor("output", (*shape[:-1], n), into),
    ]
    model = single(kind, tensors, ("input", "weights", "bias"), **({"depth_multiplier": n} if depthwise else {}))
    start = ops.Affine(source, REST)
    if dense:
        return SingleOp(model, ops.FullyConnected(start, into, scales), (shape,), (data, bias))
    if depthwise:
        return SingleOp(model, ops.DepthwiseConv2d(start, into, scales, ops.Window(), n), (shape,), (data, bias))
    return SingleOp(model, ops.Conv2d(start, into, scales, ops.Window()), (shape,), (data, bias))


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_weight_scales(kind: str, per_channel: bool) -> None:
    """All double, but for fully connected with one scale: there input * weight is a float32."""
    rng, seen = np.random.default_rng(5), 0
    for _ in range(8):
        source, weight = (to_float32(2.0**e) for e in rng.uniform(-8, 0, 2))
        output = to_float32(source * weight * 2.0 ** rng.uniform(18, 23))
        bias = sums_beside_boundaries(rng, source * weight / output, to_float32(source * weight) / output)
        if len(bias) > 1:
            case = layer(kind, source, weight, output, bias, per_channel)
            x = np.full(case.inputs[0], REST, np.int8)
            np.testing.assert_array_equal(case.oracle((x,)), golden_bytes(case, x))
            seen += len(bias)
    assert seen > 100, "the two rules were hardly ever told apart"


@pytest.mark.parametrize(("kind", "in_float32"), [("QUANTIZE", False), ("RELU", True)])
def test_ratio_of_two_scales(kind: str, in_float32: bool) -> None:
    """Double in QUANTIZE, float32 in RELU."""
    rng, seen = np.random.default_rng(6), 0
    for _ in range(3000):
        source = ops.Affine(to_float32(2.0 ** rng.uniform(-8, 2)), int(rng.integers(-128, 128)))
        # Ratios close to k / 2n, so that whole numbers land beside halves.
        output = ops.Affine(to_float32(source.scale * 2 * rng.integers(1, 256) / rng.integers(1, 400)), 0)
        ratio, centred = source.scale / output.scale, EVERY_BYTE.astype(np.int32) - source.zero_point
        told_apart = multiplied(centred, ratio) != multiplied(centred, to_float32(ratio))
        if (told_apart & (centred > 0)).any():
            tensors = [activation_tensor("input", (256,), source), activation_tensor("output", (256,), output)]
            op = ops.Relu(source, output, (0, 127)) if in_float32 else ops.Requantize(source, output)
            case = SingleOp(single(kind, tensors, ("input",)), op, ((256,),))
            np.testing.assert_array_equal(case.oracle((EVERY_BYTE,)), golden_bytes(case, EVERY_BYTE))
            seen += 1
    assert seen > 10, "the two rules were hardly ever told apart"


# Scale and zero point of both operands, scale of the output, two bytes and what they give; found by searching random
# scales for pairs of bytes on which the rule named below gives another byte.
TWO_OPERANDS = {
    "MUL": (
        # quotient in double
        (0.0049127512611448765, 58, 0.015708504244685173, -8, 0.01636974699795246, 2, -97, 24),
        (0.00396273797377944, 103, 0.06138840690255165, 33, 0.13156934082508087, -70, -128, 51),
        # product and quotient in double
        (0.21223784983158112, -60, 0.4409516155719757, -41, 22.755937576293945, 104, 108, 101),
        (0.2537992000579834, -79, 1.3122237920761108, 111, 316.9026184082031, 70, -71, -28),
        (0.0292441938072443, 25, 0.009796509519219398, 115, 0.03871927782893181, -5, -126, 54),
    ),
    "ADD": (
        # the output's multiplier in float32
        (3.1300580501556396, 4, 7.61224889755249, 86, 11.684066772460938, 70, -34, -61),
        (0.08025726675987244, -114, 1.1873427629470825, 122, 2.88722562789917, -117, -93, -88),
        # the operands' multipliers in float32
        (0.07278920710086823, -40, 0.01353197731077671, -77, 0.06487426161766052, 26, 45, 100),
        (0.014260281808674335, 30, 0.0012501018354669213, 63, 0.009461094625294209, 84, -27, 70),
        (1.6136404275894165, 87, 2.755586862564087, -18, 1.626251220703125, 1, 48, 26),
    ),
}


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, cases in TWO_OPERANDS.items() for case in cases], ids=str
)
def test_two_operands(kind: str, case: tuple) -> None:
    """All double in ADD, all float32 in MUL."""
    lhs, rhs, output = ops.Affine(*case[:2]), ops.Affine(*case[2:4]), ops.Affine(case[4], 0)
    op = ops.Add(lhs, rhs, output) if kind == "ADD" else ops.Mul(lhs, rhs, output)
    tensors = [activation_tensor(n, (1,), a) for n, a in (("lhs", lhs), ("rhs", rhs), ("output", output))]
    model = SingleOp(single(kind, tensors, ("lhs", "rhs")), op, ((1,), (1,)))
    left, right = (np.array([byte], np.int8) for byte in case[5:7])
    assert golden_bytes(model, left, right).item() == case[7]
    assert model.oracle((left, right)).item() == case[7]


@pytest.mark.parametrize(("kind", "bound"), [("RELU6", 6.0), ("RELU_N1_TO_1", 1.0)])
def test_activation_bounds(kind: str, bound: float) -> None:
    """The bound over the scale is a float32: it can be a tie where the double quotient is not."""
    seen = 0
    for whole in range(1, 250):
        scale = to_float32(bound / (whole + 0.5))
        if round_half_away(bound / scale) == round_half_away(to_float32(bound / scale)):
            continue
        source, output = ops.Affine(to_float32(scale * 8), -128), ops.Affine(scale, -128)
        tensors = [activation_tensor("input", (1,), source), activation_tensor("output", (1,), output)]
        op = ops.Relu(source, output, activation_clamp(kind, output))
        greatest = golden_bytes(SingleOp(single(kind, tensors, ("input",)), op, ((1,),)), EVERY_BYTE[-1:])
        assert greatest.item() == op.clamp[1]
        seen += 1
    assert seen > 50, "the two rules were hardly ever told apart"
