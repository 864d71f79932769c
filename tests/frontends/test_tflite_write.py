"""What the writer writes, tflite-runtime's reference kernels must load, describe and compute.

Oracle: each operator once more in float NumPy on the dequantized codes; the int8 result may differ by one code, for
the kernels round twice where the oracle rounds once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tflite
from conftest import require_data

from tvm_wvv.frontends.tflite_options import KINDS, version
from tvm_wvv.frontends.tflite_write import Operator, Tensor, write_model
from tvm_wvv.reference.golden import interpreter_module

Oracle = Callable[..., np.ndarray]
X, Y, OUT = (0.05, -3), (0.08, 11), (0.11, -7)  # (scale, zero point) of the inputs and the output


@dataclass(frozen=True)
class Case:
    """One operator: its computed inputs, its constants after them, its output's shape and the float oracle."""

    kind: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    oracle: Oracle
    constants: tuple[Tensor, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    label: str = ""

    def model(self) -> bytes:
        names = tuple(t.name for t in (*self.inputs, *self.constants))
        operator = Operator(self.kind, names, (self.output.name,), self.options)
        tensors = [*self.inputs, *self.constants, self.output]
        return write_model(tensors, [operator], [t.name for t in self.inputs], [self.output.name])


def q(name: str, shape: tuple[int, ...], affine: tuple[float, int], data: np.ndarray | None = None) -> Tensor:
    return Tensor(name, shape, "int8", data, (affine[0],), (affine[1],))


def codes(shape: tuple[int, ...], seed: int, low: int = -128) -> np.ndarray:
    data = np.random.default_rng(seed).integers(low, 128, shape, np.int8)
    data.flat[0] = low
    return data


def filters(shape: tuple[int, ...], channel_axis: int) -> tuple[Tensor, Tensor]:
    """Weights and bias with another scale for each channel."""
    scales = tuple(0.004 + 0.001 * i for i in range(shape[channel_axis]))
    zeros = (0,) * len(scales)
    bias = np.random.default_rng(5).integers(-3000, 3000, len(scales)).astype(np.int32)
    weight = Tensor("w", shape, "int8", codes(shape, 4, -127), scales, zeros, channel_axis)
    return weight, Tensor("b", bias.shape, "int32", bias, tuple(X[0] * s for s in scales), zeros, 0)


def ints(name: str, values: list[int] | list[list[int]]) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, "int32", data)


def real(tensor: Tensor, data: np.ndarray) -> np.ndarray:
    """Codes as real numbers, with the scales along their dimension; unquantized data as it is."""
    if not tensor.scales:
        return data
    along = [1] * data.ndim
    along[tensor.quantized_dimension] = len(tensor.scales)
    scales, zeros = (np.array(v, np.float64).reshape(along) for v in (tensor.scales, tensor.zero_points))
    return (data.astype(np.float64) - zeros) * scales


def windows(x: np.ndarray, size: tuple[int, int], strides: tuple[int, int], same: bool, dilation=(1, 1), fill=0.0):
    """(1, oh, ow, kh, kw, c) of a 1hwc array, padded as TFLite does."""
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    counts, pads = [], []
    for n, r, s in zip(x.shape[1:3], reach, strides, strict=True):
        counts.append(-(-n // s) if same else (n - r) // s + 1)
        total = max((counts[-1] - 1) * s + r - n, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    rows = [i * strides[0] + np.arange(size[0]) * dilation[0] for i in range(counts[0])]
    columns = [j * strides[1] + np.arange(size[1]) * dilation[1] for j in range(counts[1])]
    return np.stack([np.stack([padded[:, r][:, :, c] for c in columns], 1) for r in rows], 1)


def conv(strides=(1, 1), same=True, dilation=(1, 1)) -> Oracle:
    def run(x, w, b):
        return np.einsum("nijhwc,ohwc->nijo", windows(x, w.shape[1:3], strides, same, dilation), w) + b

    return run


def depthwise(strides, same, dilation, multiplier) -> Oracle:
    def run(x, w, b):
        grouped = w[0].reshape(*w.shape[1:3], x.shape[3], multiplier)
        out = np.einsum("nijhwc,hwcm->nijcm", windows(x, w.shape[1:3], strides, same, dilation), grouped)
        return out.reshape(*out.shape[:3], -1) + b

    return run


def pool(reduce, filter_, strides, same) -> Oracle:
    # Padding takes no part: NaN entries are left out of the mean and the maximum.
    return lambda x: reduce(windows(x, filter_, strides, same, fill=np.nan), axis=(3, 4))


def softmax(x, beta):
    e = np.exp(beta * (x - x.max(axis=-1, keepdims=True)))
    return e / e.sum(axis=-1, keepdims=True)


IMAGE = q("x", (1, 7, 5, 3), X)
SAME_AS_X = (1, 7, 5, 3)
F32 = Tensor("x", (2, 6), "float32")


def pair(kind: str, oracle: Oracle, **options: object) -> Case:
    inputs = (q("x", (1, 3, 4, 2), X), q("y", (1, 3, 4, 2), Y))
    return Case(kind, inputs, q("out", (1, 3, 4, 2), OUT), oracle, options=options)


def unary(kind: str, out: tuple[float, int], oracle: Oracle, label: str = "") -> Case:
    return Case(kind, (q("x", (2, 3, 5), X),), q("out", (2, 3, 5), out), oracle, label=label)


CASES = [
    Case("CONV_2D", (IMAGE,), q("out", (1, 4, 2, 4), OUT), conv((2, 3)), filters((4, 3, 2, 3), 0),
         {"padding": "SAME", "strides": (2, 3)}, "strided"),
    Case("CONV_2D", (IMAGE,), q("out", (1, 3, 3, 2), OUT), lambda *a: np.maximum(conv((1, 1), False, (2, 1))(*a), 0),
         filters((2, 3, 3, 3), 0), {"padding": "VALID", "dilation": (2, 1), "activation": "RELU"}, "dilated"),
    Case("DEPTHWISE_CONV_2D", (IMAGE,), q("out", (1, 4, 5, 6), OUT), depthwise((2, 1), True, (1, 1), 2),
         filters((1, 3, 2, 6), 3), {"strides": (2, 1), "depth_multiplier": 2}, "multiplier"),
    Case("DEPTHWISE_CONV_2D", (IMAGE,), q("out", (1, 5, 1, 3), OUT), depthwise((1, 1), False, (1, 2), 1),
         filters((1, 3, 3, 3), 3), {"padding": "VALID", "dilation": (1, 2)}, "dilated"),
    Case("FULLY_CONNECTED", (q("x", (2, 6), X),), q("out", (2, 3), OUT), lambda x, w, b: np.clip(x @ w.T + b, 0, 6),
         (q("w", (3, 6), (0.006, 0), codes((3, 6), 8)), Tensor("b", (3,), "int32", np.array([9, -70, 800], np.int32),
          (X[0] * 0.006,), (0,))), {"activation": "RELU6"}),
    pair("ADD", np.add), pair("SUB", lambda x, y: np.maximum(x - y, 0), activation="RELU"),
    pair("MUL", lambda x, y: np.clip(x * y, -1, 1), activation="RELU_N1_TO_1"),
    Case("AVERAGE_POOL_2D", (IMAGE,), q("out", (1, 4, 5, 3), X), pool(np.nanmean, (3, 2), (2, 1), True),
         options={"filter": (3, 2), "strides": (2, 1), "padding": "SAME"}),
    Case("MAX_POOL_2D", (IMAGE,), q("out", (1, 3, 4, 3), X), pool(np.nanmax, (3, 2), (2, 1), False),
         options={"filter": (3, 2), "strides": (2, 1), "padding": "VALID"}),
    Case("MEAN", (IMAGE,), q("out", (1, 3), OUT), lambda x, _: x.mean((1, 2)), (ints("axes", [1, 2]),)),
    Case("MEAN", (IMAGE,), q("out", (1, 7, 1, 3), OUT), lambda x, _: x.mean(2, keepdims=True), (ints("axes", [2]),),
         {"keep_dims": True}, "kept"),
    Case("PAD", (IMAGE,), q("out", (1, 10, 7, 3), X), lambda x, p: np.pad(x, p),
         (ints("pads", [[0, 0], [1, 2], [0, 2], [0, 0]]),)),
    Case("PADV2", (IMAGE,), q("out", (1, 10, 7, 3), X), lambda x, p, v: np.pad(x, p, constant_values=v[0]),
         (ints("pads", [[0, 0], [1, 2], [0, 2], [0, 0]]), q("fill", (1,), X, np.array([44], np.int8)))),
    Case("RESHAPE", (IMAGE,), q("out", (5, 21), X), lambda x, _: x.reshape(5, 21), (ints("shape", [5, 21]),),
         {"new_shape": (5, 21)}),
    Case("CONCATENATION", (IMAGE, q("y", (1, 7, 2, 3), X)), q("out", (1, 7, 7, 3), X),
         lambda x, y: np.concatenate([x, y], 2), options={"axis": 2}),
    Case("SOFTMAX", (q("x", (2, 6), X),), q("out", (2, 6), (1 / 256, -128)), lambda x: softmax(x, 0.5),
         options={"beta": 0.5}),
    Case("QUANTIZE", (F32,), q("out", (2, 6), OUT), lambda x: x, label="float"),
    unary("QUANTIZE", OUT, lambda x: x, "int8"),
    Case("DEQUANTIZE", (q("x", (2, 6), X),), Tensor("out", (2, 6), "float32"), lambda x: x),
    unary("RELU", OUT, lambda x: np.maximum(x, 0)), unary("RELU6", OUT, lambda x: np.clip(x, 0, 6)),
    unary("RELU_N1_TO_1", X, lambda x: np.clip(x, -1, 1)),
    Case("MINIMUM", (IMAGE, q("y", SAME_AS_X, X)), q("out", SAME_AS_X, X), np.minimum),
    Case("MAXIMUM", (IMAGE, q("y", SAME_AS_X, X)), q("out", SAME_AS_X, X), np.maximum),
    unary("LOGISTIC", (1 / 256, -128), lambda x: 1 / (1 + np.exp(-x))), unary("TANH", (1 / 128, 0), np.tanh),
]  # fmt: skip


def interpreter(model: bytes) -> Any:
    module, _ = interpreter_module()
    made = module.Interpreter(model_content=model, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF)
    made.allocate_tensors()
    return made


def feed(case: Case) -> list[np.ndarray]:
    made = [codes(t.shape, 20 + i) for i, t in enumerate(case.inputs)]
    return [real(q("", (), X), d).astype(np.float32) if t.dtype == "float32" else d
            for t, d in zip(case.inputs, made, strict=True)]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}-{c.label}".rstrip("-"))
def test_the_reference_kernels_compute_what_was_written(case: Case) -> None:
    data = feed(case)
    run = interpreter(case.model())
    for details, values in zip(run.get_input_details(), data, strict=True):
        run.set_tensor(details["index"], values)
    run.invoke()
    got = run.get_tensor(run.get_output_details()[0]["index"])

    arguments = [real(t, d) for t, d in zip(case.inputs, data, strict=True)]
    arguments += [real(t, t.data) for t in case.constants if t.data is not None]
    expected = case.oracle(*arguments)
    assert got.shape == case.output.shape == expected.shape
    if case.output.dtype == "float32":
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        return
    want = np.clip(np.rint(expected / case.output.scales[0] + case.output.zero_points[0]), -128, 127)
    assert np.abs(got.astype(int) - want).max() <= 1
    assert len(np.unique(want)) > 2, "the case must tell outputs apart"


def test_every_kind_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(KINDS)


def test_names_shapes_and_quantization_arrive() -> None:
    details = {d["name"]: d for d in interpreter(CASES[2].model()).get_tensor_details()}
    weight = CASES[2].constants[0]
    found = details["w"]["quantization_parameters"]["scales"]
    np.testing.assert_array_equal(found, np.asarray(weight.scales, np.float32))
    assert details["w"]["quantization_parameters"]["quantized_dimension"] == 3
    assert details["out"]["quantization"] == (pytest.approx(OUT[0]), OUT[1])
    assert tuple(details["x"]["shape"]) == (1, 7, 5, 3)


def test_one_scale_serves_all_channels() -> None:
    data = codes((2, 3, 3, 3), 1, -127)
    bias = Tensor("b", (2,), "int32", np.array([7, -9], np.int32), (X[0] * 0.01,), (0,))
    operator = Operator("CONV_2D", ("x", "w", "b"), ("out",))
    tensors = [IMAGE, q("w", data.shape, (0.01, 0), data), bias, q("out", (1, 7, 5, 2), OUT)]
    interpreter(write_model(tensors, [operator], ["x"], ["out"])).invoke()


def test_an_input_given_as_none_is_left_out() -> None:
    tensors = [q("x", (1, 6), X), q("w", (2, 6), (0.01, 0), codes((2, 6), 1, -127)), q("out", (1, 2), OUT)]
    model = write_model(tensors, [Operator("FULLY_CONNECTED", ("x", "w", None), ("out",))], ["x"], ["out"])
    interpreter(model).invoke()
    written = tflite.Model.GetRootAsModel(model, 0)
    assert written.Subgraphs(0).Operators(0).InputsAsNumpy().tolist() == [0, 1, -1]
    assert written.OperatorCodes(0).Version() == 6


def test_constants_lie_at_multiples_of_sixteen_and_the_bytes_repeat() -> None:
    case = CASES[0]
    model = case.model()
    assert model == case.model()
    for constant in case.constants:
        assert constant.data is not None
        at = model.find(constant.data.tobytes())
        assert at > 0
        assert at % 16 == 0


@pytest.mark.parametrize("name", ["pretrainedResnet_quant", "kws_ref_model", "vww_96_int8", "ad01_int8"])
def test_versions_are_those_of_tensorflows_own_converter(name: str) -> None:
    model = tflite.Model.GetRootAsModel(require_data(f"models/{name}.tflite").read_bytes(), 0)
    graph = model.Subgraphs(0)
    dtypes = {tflite.TensorType.INT8: "int8", tflite.TensorType.INT32: "int32"}
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        inputs = [dtypes[graph.Tensors(t).Type()] for t in operator.InputsAsNumpy()]
        assert version(tflite.opcode2name(code.BuiltinCode()), inputs, {}) == code.Version()


def test_what_does_not_fit_together_is_refused() -> None:
    out = q("out", SAME_AS_X, X)

    def write(tensors: list[Tensor], *operators: Operator) -> bytes:
        return write_model(tensors, operators, ["x"], ["out"])

    with pytest.raises(ValueError, match="no writer for the operator 'ABS'"):
        write([IMAGE, out], Operator("ABS", ("x",), ("out",)))
    with pytest.raises(ValueError, match="RELU has no option 'beta'; it has: none"):
        write([IMAGE, out], Operator("RELU", ("x",), ("out",), {"beta": 1.0}))
    with pytest.raises(ValueError, match="padding is 'EVEN'"):
        write([IMAGE, out], Operator("MAX_POOL_2D", ("x",), ("out",), {"padding": "EVEN"}))
    with pytest.raises(ValueError, match=r"strides is 2, need \(h, w\)"):
        write([IMAGE, out], Operator("MAX_POOL_2D", ("x",), ("out",), {"strides": 2}))
    with pytest.raises(ValueError, match="names the tensor 'z'"):
        write([IMAGE, out], Operator("ADD", ("x", "z"), ("out",)))
    with pytest.raises(ValueError, match="'out' is not among"):
        write([IMAGE])
    with pytest.raises(ValueError, match="two tensors bear one name"):
        write([IMAGE, IMAGE])
    with pytest.raises(ValueError, match=r"data is int8 \(2,\), the tensor is int8 \(3,\)"):
        write([IMAGE, out, q("c", (3,), X, np.zeros(2, np.int8))])
    with pytest.raises(ValueError, match="2 scales for 3 channels"):
        write([IMAGE, out, Tensor("c", (3,), "int8", None, (1.0, 2.0), (0, 0))])
    with pytest.raises(ValueError, match="1 scales but 0 zero points"):
        write([IMAGE, out, Tensor("c", (3,), "int8", None, (1.0,))])
    with pytest.raises(ValueError, match="dtype is 'int4'"):
        write([IMAGE, out, Tensor("c", (3,), "int4")])
