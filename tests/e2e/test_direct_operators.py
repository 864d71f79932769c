"""A network of the operators beside convolution, in awkward shapes: firmware gives the reference kernels' bytes.

Also which of them run as microkernels, and which ones stay TensorIR.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import require_tool
from strategies import activation_tensor

from tvm_wvv.frontends.tflite import from_bytes
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.micro.board import load_board
from tvm_wvv.micro.emit_c import emit
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.toolchain import build_firmware
from tvm_wvv.passes.options import Options
from tvm_wvv.passes.pipeline import lower
from tvm_wvv.quant.fixed_point import to_float32
from tvm_wvv.quant.operators import Affine
from tvm_wvv.reference.golden import Golden

COUNT = 20
INPUT, OTHER = Affine(to_float32(0.05), -3), Affine(to_float32(0.3), 17)
SOFTMAX = Affine(2.0**-8, -128)
# What both targets with microkernels call, for pad and concatenation, requantization, pools and mean, softmax.
CALLED = ("wvv_copy_rows", "wvv_lookup", "wvv_pool", "wvv_softmax")


def network() -> bytes:
    """Nine operators one after the other; two outputs."""
    rng = np.random.default_rng(3)
    shapes = {
        "x": (1, 9, 7, 6), "padded": (1, 12, 8, 6), "narrow": (1, 12, 8, 6), "again": (1, 12, 8, 6),
        "both": (1, 12, 8, 12), "greatest": (1, 6, 4, 12), "wide": (1, 6, 4, 12), "average": (1, 6, 4, 12),
        "mean": (1, 12), "share": (1, 12),
    }  # fmt: skip
    affines = {"narrow": OTHER, "wide": OTHER, "average": OTHER, "share": SOFTMAX}
    tensors = [activation_tensor(name, shape, affines.get(name, INPUT)) for name, shape in shapes.items()]
    tensors.append(Tensor("widths", (4, 2), "int32", np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32)))
    tensors.append(Tensor("axes", (2,), "int32", np.array([1, 2], np.int32)))
    tensors += [*_weights(rng, "small", 3, 6), *_weights(rng, "large", 5, 12)]
    plain = {"padding": "SAME", "activation": "NONE"}
    window = {**plain, "depth_multiplier": 1}
    operators = [
        Operator("PAD", ("x", "widths"), ("padded",), {}),
        Operator("DEPTHWISE_CONV_2D", ("padded", "small_weights", "small_bias"), ("narrow",),
                 {**window, "strides": (1, 1), "dilation": (1, 2)}),
        Operator("QUANTIZE", ("narrow",), ("again",), {}),
        Operator("CONCATENATION", ("again", "padded"), ("both",), {"axis": 3, "activation": "NONE"}),
        Operator("MAX_POOL_2D", ("both",), ("greatest",), {**plain, "strides": (2, 2), "filter": (3, 3)}),
        Operator("DEPTHWISE_CONV_2D", ("greatest", "large_weights", "large_bias"), ("wide",),
                 {**window, "strides": (1, 1), "dilation": (1, 1)}),
        Operator("AVERAGE_POOL_2D", ("wide",), ("average",), {**plain, "strides": (1, 1), "filter": (3, 2)}),
        Operator("MEAN", ("average", "axes"), ("mean",), {"keep_dims": False}),
        Operator("SOFTMAX", ("mean",), ("share",), {"beta": 1.0}),
    ]  # fmt: skip
    return write_model(tensors, operators, ["x"], ["average", "share"])


def _weights(rng: np.random.Generator, name: str, size: int, channels: int) -> list[Tensor]:
    scales = tuple(to_float32(one) for one in rng.uniform(0.002, 0.02, channels))
    data = rng.integers(-127, 128, (1, size, size, channels), dtype=np.int8)
    bias = rng.integers(-2000, 2000, channels, dtype=np.int32)
    bias_scales = tuple(to_float32(INPUT.scale * one) for one in scales)
    zeros = (0,) * channels
    weights = Tensor(f"{name}_weights", data.shape, "int8", data, scales, zeros, 3)
    return [weights, Tensor(f"{name}_bias", bias.shape, "int32", bias, bias_scales, zeros)]


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "mps3-an547"])
def test_firmware_gives_the_reference_bytes(board: str, tmp_path: Path):
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    model, machine = network(), load_board(board)
    lowered = lower(from_bytes(model, "direct", "direct.tflite"), Options(winograd="off"), machine.target)
    x = np.random.default_rng(4).integers(-128, 128, (COUNT, 1, 9, 7, 6)).astype(np.int8)
    x[0], x[1] = -128, 127
    golden = Golden(model).run(x)
    expected = np.concatenate([golden[info.name].reshape(COUNT, -1) for info in lowered.outputs], axis=1)
    program = build_firmware(emit(lowered).files, machine, tmp_path)
    result = run_firmware(machine, program, x.tobytes(), expected[0].nbytes)
    np.testing.assert_array_equal(np.frombuffer(result.outputs, np.int8).reshape(expected.shape), expected)


@pytest.mark.parametrize("target", ["cortex_m", "cortex_m_dsp", "cortex_m_mve"])
def test_what_runs_as_microkernels(target: str):
    lowered = lower(from_bytes(network(), "direct", "direct.tflite"), Options(winograd="off"), target)  # type: ignore[arg-type]
    files = emit(lowered).files
    called = {name for name in (*CALLED, "wvv_mve_depthwise") if f"{name}(" in files["direct_kernels.c"]}
    expected = {"cortex_m": set(), "cortex_m_dsp": set(CALLED), "cortex_m_mve": {*CALLED, "wvv_mve_depthwise"}}
    assert called == expected[target]
